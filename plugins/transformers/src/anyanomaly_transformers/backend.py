"""The backend ``transformers``: any image-text-to-text model, in padded batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from anyanomaly.api import Backend
from anyanomaly.kit import (
    ChatThinking,
    EvaluatedTokens,
    ThinkingGuard,
    check_scoring,
    model_identity,
    require_loaded,
)
from anyanomaly.types import Answer, Query
from anyanomaly_transformers.answering import Answerer
from anyanomaly_transformers.batches import Item, form_batches
from anyanomaly_transformers.errors import translate_run_errors
from anyanomaly_transformers.fingerprints import model_fingerprint
from anyanomaly_transformers.loading import Loaded, free_gpu_memory, load, quiet_logs
from anyanomaly_transformers.options import TransformersOptions
from anyanomaly_transformers.prompts import thinking_fingerprint
from anyanomaly_transformers.shared_images.prompts import PromptWriter, head_key

WINDOW_BATCHES = 2
"""Batches that are formed together. More would waste less padding, and lose more answers when a run is killed."""


class TransformersBackend(Backend[TransformersOptions]):
    """Answers in words, or with the exact log-probability of each allowed answer."""

    def __init__(self, options: TransformersOptions) -> None:
        super().__init__(options)
        self.batch_size = options.batch_size
        self._loaded: Loaded | None = None
        self._fingerprint = ""
        self._thinking = ChatThinking(options.thinking, f"Model {options.model!r}")
        self.evaluated = EvaluatedTokens()  # since the backend was made
        self._answerer: Answerer | None = None
        self._write_prompt: PromptWriter | None = None
        self._guard = ThinkingGuard(f"Model {options.model!r}")

    def load(self) -> None:
        """Load processor and weights; download what is missing.

        :raises AnyAnomalyError: when the model cannot be loaded; the message says why and what to do.
        """
        self._loaded = load(self.options)
        self.revision = model_identity(self.options.model, self._loaded.commit or self.options.revision)
        with translate_run_errors(self.options.model), quiet_logs():
            thinking = thinking_fingerprint(self._loaded.processor, self._thinking)
        self._fingerprint = model_fingerprint(self.options, self._loaded.model, self.revision, thinking)
        self._require_answerer()

    def close(self) -> None:
        """Free the weights and their GPU memory."""
        if self._loaded is not None:
            self._loaded = self._answerer = self._write_prompt = None
            free_gpu_memory()

    @property
    def fingerprint(self) -> str:
        """Weights, precision, pixel limits, thinking and release; known after `load`.

        :raises BackendError: before `load`.
        """
        require_loaded(self._loaded)
        return self._fingerprint

    @property
    def max_inflight(self) -> int:
        """The size of a window: several batches, sorted by length, of which each is prepared during the one before."""
        return WINDOW_BATCHES * self.batch_size

    def answer(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Yield the answers of a window of queries, batch by batch, before the next window is pulled.

        :raises BackendError: as `answer_batch`. :raises UsageError: as `answer_batch`.
        """
        self._require_answerer()
        stream = iter(queries)
        while window := list(islice(stream, self.max_inflight)):
            for _, answer in self._answer_window(window):
                yield answer

    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Answer in order; queries with equal sampling share forward passes, and equal images are evaluated once.

        :raises BackendError: before `load`, when memory runs out, or when the model fails.
        :raises UsageError: when a question holds a special token of the model, or asks for log-probabilities while
            thinking is on.
        """
        answers = dict(self._answer_window(queries))
        return [answers[index] for index in range(len(queries))]

    def _require_answerer(self) -> tuple[Answerer, PromptWriter]:
        """Return what answers with the loaded model, and what writes its prompts.

        :raises BackendError: before `load`.
        """
        loaded = require_loaded(self._loaded)
        if self._answerer is None or self._write_prompt is None:
            self._answerer = Answerer(loaded, self.batch_size, self._thinking, self.evaluated)
            self._write_prompt = PromptWriter(loaded.processor, self._thinking)
        return self._answerer, self._write_prompt

    def _answer_window(self, queries: Sequence[Query]) -> Iterator[tuple[int, Answer]]:
        """Yield the answers with their queries' indices, batch by batch."""
        answerer, write_prompt = self._require_answerer()
        if any(query.sampling.choices for query in queries):
            check_scoring(self._thinking.mode, "expected")
        with translate_run_errors(self.options.model), quiet_logs():
            items = []
            for index, query in enumerate(queries):
                prompt = write_prompt(query)
                shares = answerer.can_share and prompt.head_text is not None
                items.append(Item(index, query, prompt, head_key(query, prompt) if shares else None))
            batches = form_batches(
                items, self.batch_size, always_share=answerer.always_shares, can_join=answerer.can_join
            )
            by_id = {item.query.id: item for item in items}
            for item, answer in answerer.answer(batches):
                self._guard.check(
                    [item.query],
                    [answer],
                    lambda query: answerer.answer_in_words(by_id[query.id]._replace(query=query)),
                )
                yield item.position, answer
