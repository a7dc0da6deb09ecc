"""Keeps the engine busy: a thread that submits queries as they come and collects answers as they are finished."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeAlias

from anyanomaly.api import Activity
from anyanomaly.kit import ChatThinking, ThinkingGuard
from anyanomaly.types import Answer, ImageArray, Query
from anyanomaly_vllm.engine import Engine, Prompt, quiet
from anyanomaly_vllm.jobs import Job
from anyanomaly_vllm.loading import Model
from anyanomaly_vllm.preparation import ImagePool

END_TIMEOUT_S = 2.0
"""Seconds to wait for the thread at the end: it may be rendering a prompt."""

Images: TypeAlias = Sequence[ImageArray]


class Feeder:
    """Answers queries on a thread of its own, which alone uses the engine while the ``with`` block runs.

    The caller puts queries in and gets answers out, in the order in which they are finished. The engine works on while
    the caller makes the next query. Leaving the block aborts what is not finished.
    """

    def __init__(
        self,
        model: Model,
        engine: Engine,
        thinking: ChatThinking,
        guard: ThinkingGuard,
        activity: Activity,
        pool: ImagePool | None = None,
    ) -> None:
        """:param activity: counts a query from its first request to the output of its last: without its preparation."""
        self._model = model
        self._engine = engine
        self._thinking = thinking
        self._guard = guard
        self._activity = activity
        self._pool = pool
        self._queries: SimpleQueue[tuple[Query, Images | Exception] | None] = SimpleQueue()  # None: the end
        self._answers: SimpleQueue[Answer | BaseException] = SimpleQueue()
        self._requests: dict[str, tuple[Job, int]] = {}  # in the engine, by id: the job, and the number in it
        self._thread = threading.Thread(target=self._serve, name="anyanomaly-vllm", daemon=True)
        self.n_open = 0  # queries that were put in and whose answers were not got

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queries.put(None)
        self._engine.wake()
        self._thread.join(END_TIMEOUT_S)

    @property
    def has_ended(self) -> bool:
        """Whether the thread no longer uses the engine."""
        return not self._thread.is_alive()

    @property
    def has_answers(self) -> bool:
        """Whether `get` returns at once."""
        return not self._answers.empty()

    def put(self, query: Query) -> None:
        """Hand over a query; its images are prepared in the pool, where there is one."""
        self.n_open += 1
        if self._pool is None:
            self._deliver(query, query.images)
        else:
            self._pool.prepare(query.images, lambda images: self._deliver(query, images))

    def get(self) -> Answer:
        """Wait for the next answer.

        :raises BaseException: what the thread raised; it has then ended.
        """
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            raise answer
        self.n_open -= 1
        return answer

    def _deliver(self, query: Query, images: Images | Exception) -> None:
        self._queries.put((query, images))
        self._engine.wake()

    def _serve(self) -> None:
        try:
            while self._submit_next():
                if self._engine.is_busy and (self._queries.empty() or self._engine.has_outputs):
                    self._step()
        except BaseException as error:
            self._answers.put(error)
        finally:
            with suppress(Exception):  # of an engine that died
                self._engine.abort(list(self._requests))
            for _ in {id(job) for job, _ in self._requests.values()}:  # jobs that are not complete
                self._activity.end()

    def _submit_next(self) -> bool:
        """Submit a query; wait for one only when the engine has nothing to do. Return False at the end."""
        try:
            item = self._queries.get(block=not self._engine.is_busy)
        except Empty:
            return True
        if item is None:
            return False
        query, images = item
        if isinstance(images, Exception):
            raise images
        self._start(query, images)
        return True

    def _start(self, query: Query, images: Images) -> Job:
        job = Job(self._model, self._engine, query, images, self._thinking)
        with quiet():
            prompts = list(job.first_prompts())
        self._activity.begin()
        self._submit(job, prompts)
        return job

    def _submit(self, job: Job, prompts: Iterable[tuple[int, Prompt, Any]]) -> None:
        for number, prompt, params in prompts:
            self._requests[self._engine.submit(prompt, params)] = job, number

    def _step(self) -> None:
        """Collect the outputs of a step of the engine, and answer the queries that they complete."""
        completed: list[Job] = []
        for request_id, output in self._engine.step():
            job, number = self._requests.pop(request_id)
            with quiet():
                self._submit(job, job.record(number, output))
            if job.is_complete:
                self._activity.end()
                completed.append(job)
        for job in completed:
            if not job.is_check:
                self._finish(job)

    def _finish(self, job: Job) -> None:
        answer = job.answer()

        def answer_in_words(query: Query) -> Answer:
            check = self._start(query, job.images)
            check.is_check = True
            while not check.is_complete:
                self._step()
            return check.answer()

        self._guard.check([job.query], [answer], answer_in_words)
        self._answers.put(answer)
