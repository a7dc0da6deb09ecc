"""The backend ``openai``: many requests in flight to one server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from anyanomaly.api import Backend
from anyanomaly.errors import UsageError
from anyanomaly.kit import require_loaded
from anyanomaly.types import Answer, Query
from anyanomaly_openai.options import Kind, OpenAiOptions
from anyanomaly_openai.pool import in_flight
from anyanomaly_openai.prompts import messages
from anyanomaly_openai.scoring import Scorer, first_choice
from anyanomaly_openai.server import Server, is_loopback


class OpenAiBackend(Backend[OpenAiOptions]):
    """Answers in words, or with log-probabilities of the allowed answers as far as the server tells them."""

    def __init__(self, options: OpenAiOptions) -> None:
        super().__init__(options)
        self.batch_size = options.max_inflight
        self._open: tuple[Server, str, Kind, Scorer] | None = None

    @property
    def leaves_machine(self) -> bool:
        """Whether images go to another machine: any address but a loopback one."""
        return not is_loopback(self.options.base_url)

    def load(self) -> None:
        """Ask the server which models it has.

        :raises UsageError: when the model has to be named, or the key is missing.
        :raises BackendError: when the server does not answer, or refuses.
        """
        server = Server(self.options)
        try:
            model, kind = server.model()
        except BaseException:
            server.close()
            raise
        self._open = (server, model, kind, Scorer(server, model, kind, self.options.top_logprobs))

    def close(self) -> None:
        """Drop the connections, and with them requests that are still under way."""
        if self._open is not None:
            self._open[0].close()
            self._open = None

    @property
    def fingerprint(self) -> str:
        """Address, model's name and all else that is known here; what weights a server has behind a name is not."""
        server, model, kind, _ = self._ready()
        top = "" if kind == "vllm" else f"/top={self.options.top_logprobs}"
        return f"openai/{server.url}/{model}/{kind}/{self.options.image_format}{top}"

    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Answer in order.

        :raises BackendError: when the server cannot go on.
        """
        answers = {answer.id: answer for answer in self.answer(queries)}
        return [answers[query.id] for query in queries]

    def answer(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Answer as answers come in, ``max_inflight`` queries at once."""
        self._ready()
        return in_flight(self._answer, queries, self.options.max_inflight)

    def _ready(self) -> tuple[Server, str, Kind, Scorer]:
        return require_loaded(self._open)

    def _answer(self, query: Query) -> Answer:
        server, model, kind, scorer = self._ready()
        asked = messages(query, self.options.image_format)
        if query.sampling.choices:
            return Answer(query.id, logprobs=scorer.logprobs(asked, query.sampling.choices))
        sampling = query.sampling
        content = {
            "model": model,
            "messages": asked,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            **_penalty(kind, sampling.repetition_penalty),
        }
        told = server.post("chat/completions", content)
        message = first_choice(server.url, told).get("message") or {}
        usage = told.get("usage") or {}
        return Answer(
            query.id,
            text=str(message.get("content") or "").strip(),
            prompt_tokens=usage.get("prompt_tokens"),
            output_tokens=usage.get("completion_tokens"),
        )


def _penalty(kind: Kind, value: float) -> dict[str, float]:
    """Return the repetition penalty as a kind of server calls it; said even when it is 1, since defaults differ."""
    if kind in ("vllm", "sglang"):
        return {"repetition_penalty": value}
    if kind == "llama.cpp":
        return {"repeat_penalty": value}
    if value != 1.0:
        raise UsageError("This server knows no repetition penalty. Use --repetition-penalty 1.")
    return {}
