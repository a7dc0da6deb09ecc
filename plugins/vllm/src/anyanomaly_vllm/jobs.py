"""One query in the engine: its prompt, its requests, and the answer from their outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from anyanomaly_transformers.api import decode_words

from anyanomaly.kit import ChatThinking, Switches
from anyanomaly.types import Answer, ImageArray, Query
from anyanomaly_vllm.engine import Engine, Prompt
from anyanomaly_vllm.generation import sampling_params
from anyanomaly_vllm.loading import Model
from anyanomaly_vllm.prompts import messages
from anyanomaly_vllm.scoring import ChoiceLookup, Request


class Job:
    """A query in the engine. Submit each prompt of `first_prompts`, and of `record` when it returns more."""

    def __init__(
        self, model: Model, engine: Engine, query: Query, images: Sequence[ImageArray], thinking: ChatThinking
    ) -> None:
        """:param images: those of the query, possibly in the model's own size."""
        self.query = query
        self.is_check = False  # of the model, and not for the caller
        self._model = model
        self._engine = engine
        self.images = images
        self._thinking = thinking
        self._prompt_text = ""
        self._n_prompt = 0  # tokens
        self._lookup: ChoiceLookup | None = None  # None: an answer in words, from one request
        self._tokens: Sequence[int] = ()  # of the answer in words
        self._requests: list[Request] = []  # of this turn
        self._n_open = self._n_requests = 0

    def first_prompts(self) -> Iterator[tuple[int, Prompt, Any]]:
        """Yield the first requests: a number for `record`, the prompt, and vLLM's sampling parameters."""
        prompt = self._render()
        self._prompt_text, self._n_prompt = prompt.get("prompt", ""), len(prompt["prompt_token_ids"])
        if choices := self.query.sampling.choices:
            self._lookup = ChoiceLookup(self._model.encode_choices(self._prompt_text, choices), self._n_prompt)
            requests = self._lookup.first_requests()
        else:
            requests = [((), sampling_params(self.query))]
        yield from self._begin(prompt, requests)

    def record(self, number: int, output: Any) -> Iterator[tuple[int, Prompt, Any]]:
        """Add the output of a request, and yield the further requests that the answer still needs."""
        self._n_open -= 1
        if self._lookup is None:
            self._tokens = output.outputs[0].token_ids
            return
        prefix, _ = self._requests[number]
        self._lookup.record(prefix, output)
        if not self._n_open and (missing := self._lookup.missing_requests()):
            yield from self._begin(self._render(), missing)

    @property
    def is_complete(self) -> bool:
        """Whether all requests are answered."""
        return not self._n_open

    def answer(self) -> Answer:
        """Return the answer; call it when the job is complete.

        :raises BackendError: when the model gives NaN.
        """
        if self._lookup is not None:
            by_choice = dict(zip(self.query.sampling.choices, self._lookup.answer_logprobs(), strict=True))
            return Answer(
                self.query.id, logprobs=by_choice, prompt_tokens=self._n_prompt, output_tokens=self._n_requests
            )
        words = decode_words(self._model.sizer.tokenizer, self._tokens)
        text = self._thinking.complete_answer(self._prompt_text, self.query.prompt, words)
        return Answer(self.query.id, text, prompt_tokens=self._n_prompt, output_tokens=len(self._tokens))

    def _begin(self, prompt: Prompt, requests: list[Request]) -> Iterator[tuple[int, Prompt, Any]]:
        self._requests, self._n_open = requests, len(requests)
        self._n_requests += len(requests)
        for number, (prefix, params) in enumerate(requests):
            yield number, {**prompt, "prompt_token_ids": [*prompt["prompt_token_ids"], *prefix]}, params

    def _render(self) -> Prompt:
        """Return the query as the engine reads it."""

        def write_text(switches: Switches) -> str:
            return str(self._write(switches).get("prompt", ""))  # Mistral's own templates give tokens, no text

        prompt = self._write(self._thinking.switches(write_text, self.query.prompt))
        if "prompt" in prompt:
            prompt = {**prompt, "prompt": self._thinking.close(prompt["prompt"], self.query.prompt)}
        return self._engine.tokenise(prompt)

    def _write(self, switches: Switches) -> Prompt:
        """Return the query as text; a template without a system turn gets the system text before the question."""
        try:
            return self._engine.write(messages(self.query, self.images), switches)
        except ValueError:
            if not self.query.system:
                raise
            return self._engine.write(messages(self.query, self.images, system_turn=False), switches)
