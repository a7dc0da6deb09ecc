"""The backend ``vllm``: vLLM's offline engine, with the queries of many segments and videos in flight at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import IO, Any, NamedTuple

from anyanomaly_transformers.api import decode_words

from anyanomaly.api import Backend
from anyanomaly.errors import BackendError
from anyanomaly.kit import ChatThinking, Switches, ThinkingGuard, check_scoring, require_loaded
from anyanomaly.types import Answer, Query
from anyanomaly_vllm.engine import Engine, Prompt, new_log, quiet
from anyanomaly_vllm.errors import translate_errors
from anyanomaly_vllm.generation import sampling_params
from anyanomaly_vllm.loading import Model, inspect_model
from anyanomaly_vllm.options import VllmOptions
from anyanomaly_vllm.prompts import messages
from anyanomaly_vllm.scoring import ChoiceLookup, Request
from anyanomaly_vllm.sizes import QuerySize

LOGGER = logging.getLogger(__name__)

LENGTH_STEP = 256  # tokens: lengths are rounded up, so that a slightly longer question needs no new engine


class _Submitted(NamedTuple):
    """A query in the engine."""

    query: Query
    prompt: str
    n_prompt: int  # tokens
    lookup: ChoiceLookup | None  # None: an answer in words, from one request
    requests: list[Request]


class VllmBackend(Backend[VllmOptions]):
    """Answers in words, or with the exact log-probability of each allowed answer.

    The engine starts with the first queries, for their sizes, and starts again for larger queries.
    """

    def __init__(self, options: VllmOptions) -> None:
        super().__init__(options)
        self.batch_size = options.batch_size
        self._log: IO[bytes] | None = None
        self._model: Model | None = None
        self._engine: Engine | None = None
        self._size = QuerySize(0, 0)
        self._thinking = ChatThinking(options.thinking, f"Model {options.model!r}")
        self._guard = ThinkingGuard(f"Model {options.model!r}")

    def load(self) -> None:
        """Check the model; download its configuration when missing. Weights are loaded with the first query.

        :raises AnyAnomalyError: when the model cannot be used; the message says why and what to do.
        """
        self._log = new_log()
        try:
            self._model = inspect_model(self.options, self._log)
            self.revision = self._model.revision
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the engine and all its processes."""
        self._stop_engine()
        self._model = None
        if self._log is not None:
            self._log.close()
            self._log = None

    @property
    def fingerprint(self) -> str:
        """Weights, precision, pixel limits, thinking and release; known after `load`.

        :raises BackendError: before `load`.
        """
        return require_loaded(self._model).fingerprint

    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Answer in order; all queries are in the engine at once.

        :raises BackendError: before `load`, when memory is too small, or when the engine dies.
        :raises UsageError: when a question holds a special token of the model, or asks for log-probabilities while
            thinking is on.
        """
        model, log = require_loaded(self._model), require_loaded(self._log)
        if any(query.sampling.choices for query in queries):
            check_scoring(self._thinking.mode, "expected")
        try:
            with quiet():
                size = model.sizer.size(queries)
            with translate_errors(self.options.model, log, running=False):
                engine = self._start_engine(model, log, size)
            n_videos = len({query.id.video for query in queries})
            LOGGER.info("%d queries of %d videos go to vLLM at once", len(queries), n_videos)
            with translate_errors(self.options.model, log, running=True), quiet():
                answers = _answer(model, engine, queries, self._thinking)
                self._guard.check(queries, answers, lambda query: _answer(model, engine, [query], self._thinking)[0])
                return answers
        except BaseException:  # an interrupt too: the engine still holds unfinished requests
            self._stop_engine()
            raise

    def _start_engine(self, model: Model, log: IO[bytes], size: QuerySize) -> Engine:
        """Return an engine that takes queries of this size: the running one, or a new one.

        :raises BackendError: when a query is longer than the model or the options allow.
        """
        if self._engine is not None and self._size.holds(size):
            return self._engine
        self._stop_engine()
        total = self._size.union(size)
        rounded = -(-total.tokens // LENGTH_STEP) * LENGTH_STEP
        length = self.options.max_model_len or min(rounded, model.max_tokens)
        if total.tokens > length:
            raise BackendError(
                f"A query needs {total.tokens} tokens and model {self.options.model!r} takes {length}. Lower "
                "--backend.max-pixels or --reader.max-side"
                + (", or raise --backend.max-model-len." if self.options.max_model_len else ".")
            )
        images = {"count": max(total.images, 1), "width": total.width, "height": total.height}
        sizes = {"max_model_len": length, "limit_mm_per_prompt": {"image": images, "video": 0}}
        self._engine = Engine(model.arguments | sizes, log)
        self._size = total._replace(tokens=length)
        return self._engine

    def _stop_engine(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()


def _answer(model: Model, engine: Engine, queries: Sequence[Query], thinking: ChatThinking) -> list[Answer]:
    """Return the answers in order: first the requests of all queries, then those that still lack log-probabilities."""
    submitted: list[_Submitted] = []

    def first_prompts() -> Iterator[tuple[Prompt, Any]]:
        for query in queries:
            prompt = _render(engine, query, thinking)
            text, n_prompt = prompt.get("prompt", ""), len(prompt["prompt_token_ids"])
            if query.sampling.choices:
                choices = model.encode_choices(text, query.sampling.choices)
                lookup = ChoiceLookup(choices, n_prompt)
                submitted.append(_Submitted(query, text, n_prompt, lookup, lookup.first_requests()))
            else:
                submitted.append(_Submitted(query, text, n_prompt, None, [((), sampling_params(query))]))
            yield from _append_tokens(prompt, submitted[-1].requests)

    outputs = iter(engine.generate(first_prompts()))
    first_tokens: list[Sequence[int]] = []  # generated by the first request of each query
    for item in submitted:
        item_outputs = [next(outputs) for _ in item.requests]
        first_tokens.append(item_outputs[0].outputs[0].token_ids)
        if item.lookup is not None:
            _record(item.lookup, item.requests, item_outputs)
    missing_requests = [item.lookup.missing_requests() if item.lookup is not None else [] for item in submitted]
    missing_prompts = (
        _append_tokens(_render(engine, query, thinking), requests)
        for query, requests in zip(queries, missing_requests, strict=True)
        if requests
    )
    outputs = iter(engine.generate(chain.from_iterable(missing_prompts)))
    for item, requests in zip(submitted, missing_requests, strict=True):
        if item.lookup is not None:
            _record(item.lookup, requests, [next(outputs) for _ in requests])
    return [
        _choice_answer(item, len(item.requests) + len(requests))
        if item.lookup
        else _word_answer(model, item, tokens, thinking)
        for item, requests, tokens in zip(submitted, missing_requests, first_tokens, strict=True)
    ]


def _choice_answer(item: _Submitted, n_requests: int) -> Answer:
    logprobs = item.lookup.answer_logprobs() if item.lookup else []
    by_choice = dict(zip(item.query.sampling.choices, logprobs, strict=True))
    return Answer(item.query.id, logprobs=by_choice, prompt_tokens=item.n_prompt, output_tokens=n_requests)


def _word_answer(model: Model, item: _Submitted, tokens: Sequence[int], thinking: ChatThinking) -> Answer:
    words = decode_words(model.sizer.tokenizer, tokens)
    text = thinking.complete_answer(item.prompt, item.query.prompt, words)
    return Answer(item.query.id, text, prompt_tokens=item.n_prompt, output_tokens=len(tokens))


def _record(lookup: ChoiceLookup, requests: Sequence[Request], outputs: Sequence[Any]) -> None:
    for (prefix, _), output in zip(requests, outputs, strict=True):
        lookup.record(prefix, output)


def _render(engine: Engine, query: Query, thinking: ChatThinking) -> Prompt:
    """Return the query as the engine reads it."""

    def write_text(switches: Switches) -> str:
        return str(_write(engine, query, switches).get("prompt", ""))  # Mistral's own templates give tokens, no text

    prompt = _write(engine, query, thinking.switches(write_text, query.prompt))
    if "prompt" in prompt:
        prompt = {**prompt, "prompt": thinking.close(prompt["prompt"], query.prompt)}
    return engine.tokenise(prompt)


def _write(engine: Engine, query: Query, switches: Switches) -> Prompt:
    """Return the query as text; a template without a system turn gets the system text before the question."""
    try:
        return engine.write(messages(query), switches)
    except ValueError:
        if not query.system:
            raise
        return engine.write(messages(query, system_turn=False), switches)


def _append_tokens(prompt: Prompt, requests: Sequence[Request]) -> Iterator[tuple[Prompt, Any]]:
    """Yield the prompt followed by the tokens of each request, and the request's sampling parameters."""
    for prefix, params in requests:
        yield {**prompt, "prompt_token_ids": [*prompt["prompt_token_ids"], *prefix]}, params
