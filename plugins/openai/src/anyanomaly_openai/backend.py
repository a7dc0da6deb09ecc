"""The backend ``openai``: many requests in flight to one server."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from anyanomaly.api import Backend
from anyanomaly.core.expected import SCORES
from anyanomaly.errors import BackendError, UsageError
from anyanomaly.kit import ThinkingGuard, check_scoring, require_loaded
from anyanomaly.types import Answer, Query
from anyanomaly_openai.address import is_loopback, read_address
from anyanomaly_openai.options import Kind, OpenAiOptions
from anyanomaly_openai.pool import map_in_threads
from anyanomaly_openai.prompts import messages
from anyanomaly_openai.responses import Completion, Usage
from anyanomaly_openai.scoring import Scorer
from anyanomaly_openai.server import Server
from anyanomaly_openai.thinking import CUT_OFF, AnswerStart, find_answer_start, read_words, request_fields

Conversation: TypeAlias = list[dict[str, Any]]

log = logging.getLogger(__name__)

PROBE = "On a scale from 0 to 1, how dark is the night? Provide the score as a float, rounded to one decimal place."
"""A question that any model can answer."""


class _Connection(NamedTuple):
    """A server, its model, and how it is asked."""

    server: Server
    model: str
    kind: Kind
    start: AnswerStart
    scorer: Scorer
    guard: ThinkingGuard


class OpenAiBackend(Backend[OpenAiOptions]):
    """Answers in words, or with log-probabilities of the allowed answers as far as the server gives them."""

    forms_batches = False  # the server schedules the requests
    works_while_pulling = True

    def __init__(self, options: OpenAiOptions) -> None:
        super().__init__(options)
        self.batch_size = options.max_inflight
        self._connection: _Connection | None = None
        self._has_warned = False

    @property
    def leaves_machine(self) -> bool:
        """Whether images leave this machine: for every address that is no loopback address.

        :raises UsageError: when the address cannot be read.
        """
        return not is_loopback(read_address(self.options.base_url))

    def load(self) -> None:
        """Connect to the server, get its list of models, and find out how its model is kept from thinking.

        :raises UsageError: when the user must name the model, the key is missing, or the address cannot be read.
        :raises BackendError: when the server does not answer, refuses access, or cannot keep its model from thinking.
        """
        server = Server(self.options)
        try:
            model, kind = server.model()
            start = find_answer_start(server, model, kind, self.options.thinking)
        except BaseException:
            server.close()
            raise
        scorer = Scorer(server, model, kind, start, self.options.top_logprobs)
        alternative = "a server or a model that answers at once"
        guard = ThinkingGuard(f"Model {model!r} on the server at {server.url}", alternative)
        self._connection = _Connection(server, model, kind, start, scorer, guard)

    def close(self) -> None:
        """Close the connections; requests in flight fail."""
        if self._connection is not None:
            self._connection.server.close()
            self._connection = None

    @property
    def fingerprint(self) -> str:
        """Address without secrets, model's name and settings; which weights a server has under that name is unknown.

        :raises BackendError: before `load`.
        """
        server, model, kind, start, *_ = require_loaded(self._connection)
        top = "" if kind == "vllm" else f"/top={self.options.top_logprobs}"
        thinking = f"/thinking={start.fingerprint}" if start.fingerprint else ""
        return f"openai/{server.url}/{model}/{kind}/{self.options.image_format}{top}{thinking}"

    def gives_logprobs(self) -> bool:
        """Return whether the server gives log-probabilities with this model, found out with one question without image.

        :raises BackendError: before `load`.
        """
        scorer = require_loaded(self._connection).scorer
        try:
            logprobs = scorer.logprobs([{"role": "user", "content": PROBE}], SCORES)
        except BackendError:
            return False
        return any(math.isfinite(logprob) for logprob in logprobs.values())

    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Answer in order.

        :raises BackendError: before `load`, or when the server fails.
        :raises UsageError: when a question asks for log-probabilities while thinking is on.
        """
        answers = {answer.id: answer for answer in self.answer(queries)}
        return [answers[query.id] for query in queries]

    def answer(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Yield answers as they arrive, with ``max_inflight`` requests at once.

        :raises BackendError: before `load`, or when the server fails.
        """
        require_loaded(self._connection)
        activity = self.activity

        def answer_in_thread(query: Query) -> Answer:
            conversation = messages(query, self.options.image_format)  # until then the server waits
            with activity.work():
                return self._answer(query, conversation)

        return map_in_threads(answer_in_thread, queries, self.options.max_inflight)

    def _answer(self, query: Query, conversation: Conversation) -> Answer:
        if not query.sampling.choices:
            return self._answer_in_words(query, conversation)
        check_scoring(self.options.thinking, "expected")
        connection = require_loaded(self._connection)
        answer = Answer(query.id, logprobs=connection.scorer.logprobs(conversation, query.sampling.choices))
        connection.guard.check([query], [answer], lambda check: self._answer_in_words(check, conversation))
        return answer

    def _answer_in_words(self, query: Query, conversation: Conversation) -> Answer:
        server, model, kind, start, *_ = require_loaded(self._connection)
        sampling = query.sampling
        conversation = start.begin(conversation)
        content = {
            "model": model,
            "messages": conversation,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            **_penalty(kind, sampling.repetition_penalty),
            **request_fields(kind, start, conversation),
        }
        response = server.post("chat/completions", content, Completion)
        usage = response.usage or Usage()
        text = read_words(response.choices[0], start)
        if text == CUT_OFF and not self._has_warned:
            self._has_warned = True
            log.warning(
                f"The server at {server.url} returned thoughts without an answer, and no score is read from thoughts. "
                f"Raise --max-tokens, use --backend.thinking off, or start the server without a reasoning parser."
            )
        return Answer(
            query.id,
            text=text,
            prompt_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
        )


def _penalty(kind: Kind, value: float) -> dict[str, float]:
    """Return the repetition penalty under the server's name for it; also when it is 1, because defaults differ.

    :raises UsageError: when the server has none.
    """
    if kind in ("vllm", "sglang"):
        return {"repetition_penalty": value}
    if kind == "llama.cpp":
        return {"repeat_penalty": value}
    if value != 1.0:
        raise UsageError("This server does not support a repetition penalty. Use --repetition-penalty 1.")
    return {}
