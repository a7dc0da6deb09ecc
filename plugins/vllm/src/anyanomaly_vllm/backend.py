"""The backend ``vllm``: vLLM's offline engine, fed with the queries of many segments and videos as they come."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import IO

from anyanomaly.api import Backend
from anyanomaly.errors import BackendError
from anyanomaly.kit import ChatThinking, ThinkingGuard, check_scoring, require_loaded
from anyanomaly.types import Answer, Query
from anyanomaly_vllm.engine import Engine, new_log, quiet
from anyanomaly_vllm.errors import translate_errors
from anyanomaly_vllm.feeding import Feeder
from anyanomaly_vllm.loading import Model, inspect_model
from anyanomaly_vllm.options import VllmOptions
from anyanomaly_vllm.preparation import ImagePool, default_processes
from anyanomaly_vllm.sizes import QuerySize

LOGGER = logging.getLogger(__name__)

LENGTH_STEP = 256  # tokens: lengths are rounded up, so that a slightly longer question needs no new engine
N_SIZED = 32
"""Queries whose sizes are known when the first engine starts: those of a few segments with all their texts."""
SIZED_TIMEOUT_S = 10.0
"""Seconds after which no more of them are awaited; a live video may ask rarely."""


class VllmBackend(Backend[VllmOptions]):
    """Answers in words, or with the exact log-probability of each allowed answer.

    The engine starts with the first queries, for their sizes, and starts again for larger queries. It is fed without a
    pause: a finished query makes room for the next, and the engine works on while a query is pulled.
    """

    forms_batches = False  # the engine schedules the requests
    works_while_pulling = True

    def __init__(self, options: VllmOptions) -> None:
        super().__init__(options)
        self.batch_size = options.batch_size
        self._log: IO[bytes] | None = None
        self._model: Model | None = None
        self._engine: Engine | None = None
        self._pool: ImagePool | None = None
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
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()
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
        answers = {answer.id: answer for answer in self._answer(iter(queries), len(queries))}
        return [answers[query.id] for query in queries]

    def answer(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Yield answers as they are finished, with up to ``batch_size`` queries in the engine.

        :raises BackendError: as `answer_batch`. :raises UsageError: as `answer_batch`.
        """
        require_loaded(self._model)
        return self._answer(iter(queries), min(N_SIZED, self.batch_size))

    def _answer(self, stream: Iterator[Query], n_sized: int) -> Generator[Answer, None, None]:
        """Yield the answers to a stream of queries.

        :param n_sized: queries to pull before the first engine starts.
        """
        model, log = require_loaded(self._model), require_loaded(self._log)
        pulled = _pull_first(stream, 1 if self._engine else n_sized)
        while pulled:
            try:
                size = self._measure(model, pulled)
                with translate_errors(self.options.model, log, running=False):
                    engine = self._start_engine(model, log, size)
            except BaseException:
                self._stop_engine()
                raise
            pulled = yield from self._feed(model, log, engine, pulled, stream)

    def _feed(
        self, model: Model, log: IO[bytes], engine: Engine, pulled: Sequence[Query], stream: Iterator[Query]
    ) -> Generator[Answer, None, list[Query]]:
        """Yield the answers of one engine; return the query that needs a larger one, after all others are answered."""
        larger: list[Query] = []
        has_ended = False
        feeder = Feeder(model, engine, self._thinking, self._guard, self.activity, self._pool)
        try:
            with feeder:
                for first_query in pulled:
                    feeder.put(first_query)
                while True:
                    while not (larger or has_ended or feeder.has_answers) and feeder.n_open < self.max_inflight:
                        if (query := next(stream, None)) is None:
                            has_ended = True
                        elif self._size.holds(self._measure(model, [query])):
                            feeder.put(query)
                        else:
                            larger.append(query)
                    if not feeder.n_open:
                        return larger
                    with translate_errors(self.options.model, log, running=True):
                        answer = feeder.get()
                    yield answer
        except GeneratorExit:  # the caller wants no more answers; the engine is free for other queries
            if not feeder.has_ended:
                self._stop_engine()
            raise
        except BaseException:  # an interrupt too
            self._stop_engine()
            raise

    def _measure(self, model: Model, queries: Sequence[Query]) -> QuerySize:
        """Return the size of queries.

        :raises UsageError: when a question cannot be asked.
        """
        if any(query.sampling.choices for query in queries):
            check_scoring(self._thinking.mode, "expected")
        with quiet():
            return model.sizer.size(queries)

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
        if self._pool is None:
            self._pool = self._start_pool(model, log)  # while the engine starts, its processes do
        images = {"count": max(total.images, 1), "width": total.width, "height": total.height}
        sizes = {"max_model_len": length, "limit_mm_per_prompt": {"image": images, "video": 0}}
        self._engine = Engine(model.arguments | sizes, log)
        self._size = total._replace(tokens=length)
        return self._engine

    def _start_pool(self, model: Model, log: IO[bytes]) -> ImagePool | None:
        """Return the pool that resizes images; None where the model or the machine has no use for it."""
        n_processes = self.options.prepare_processes
        if n_processes is None:
            n_processes = default_processes(model.on_cpu)
        if not n_processes or model.sizing is None:
            return None
        LOGGER.info("%d processes resize images for vLLM", n_processes)
        return ImagePool(model.sizing, n_processes, log)

    def _stop_engine(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()


def _pull_first(stream: Iterator[Query], n_queries: int) -> list[Query]:
    """Return the next queries: as many, or fewer when they take long to make or the stream ends."""
    pulled: list[Query] = []
    start_s = time.monotonic()
    for query in stream:
        pulled.append(query)
        if len(pulled) >= n_queries or time.monotonic() - start_s > SIZED_TIMEOUT_S:
            break
    return pulled
