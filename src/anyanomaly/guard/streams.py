"""Iterators that components return, with every item checked: frames, answers, and videos of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from anyanomaly import interrupts
from anyanomaly.guard import results
from anyanomaly.guard.failures import Origin, WrongResult
from anyanomaly.guard.slow_calls import not_reported, reported
from anyanomaly.types import Answer, Frame, LabelledVideo, Query, QueryId, Video

T = TypeVar("T")

MAX_VIDEOS = 200_000
"""A dataset with more videos is taken for one that never ends."""

_END = object()


class _Stream(Iterator[T], Generic[T]):
    """Yields the items of the iterator that a method of a component returns."""

    def __init__(self, origin: Origin, name: str, items: Callable[[], Iterable[T]]) -> None:
        self._origin = origin
        self._name = name
        returned = origin.call(name, items)
        origin.check(name, lambda: results.require_iterable(returned))
        self._items = origin.call(name, lambda: iter(returned))

    def __next__(self) -> T:
        with reported(self._origin.label, self._name):
            item: Any = self._origin.call(self._name, lambda: next(self._items, _END))
        interrupts.check()
        if item is _END:
            self._end()
            raise StopIteration
        self._origin.check(self._name, lambda: self._check(item))
        checked: T = item
        return checked

    def close(self) -> None:
        """Close the component's iterator."""
        if close := getattr(self._items, "close", None):
            self._origin.call(self._name, close)

    def _check(self, item: T) -> None:
        """:raises WrongResult: for a wrong item."""

    def _end(self) -> None:
        """Check what must hold after the last item."""


class _Frames(_Stream[Frame]):
    """The frames of one video."""

    def __init__(
        self,
        origin: Origin,
        name: str,
        component: object,
        method: Callable[..., Iterable[Frame]],
        video: Video,
        *,
        start: int = 0,
        every: int = 1,
    ) -> None:
        self._check_frame = results.frame_check(video, start, every)
        super().__init__(origin, name, lambda: method(video, start=start, every=every))

    def _check(self, item: Frame) -> None:
        self._check_frame(item)


class _Videos(_Stream[LabelledVideo]):
    """The videos of a dataset."""

    def __init__(
        self, origin: Origin, name: str, component: object, method: Callable[..., Iterable[LabelledVideo]]
    ) -> None:
        self._n_videos = 0
        super().__init__(origin, name, method)

    def _check(self, item: LabelledVideo) -> None:
        self._n_videos += 1
        results.require(self._n_videos <= MAX_VIDEOS, f"yields more than {MAX_VIDEOS:,} videos")
        results.check_labelled_video(item)


class _Questions:
    """The queries that a backend has pulled from its stream and not yet answered."""

    def __init__(self, origin: Origin, name: str, component: Any) -> None:
        self._origin = origin
        self._name = name
        self._component = component
        self.unanswered: dict[QueryId, Query] = {}
        self.failure: Exception | None = None  # of the stream; a backend may swallow it

    def pull(self, queries: Iterator[Query]) -> Iterator[Query]:
        """Yield the queries to the backend."""
        try:
            while True:
                with not_reported():
                    query = next(queries, None)
                if query is None:
                    return
                most = self._component.max_inflight
                if len(self.unanswered) >= most:
                    self.refuse(f"leaves more than {most} queries unanswered")
                self.unanswered[query.id] = query
                yield query
        except Exception as error:
            self.failure = error
            raise

    def refuse(self, problem: str) -> None:
        """:raises BackendError: with ``problem``, a sentence about the backend's method."""
        self._origin.check(self._name, lambda: results.require(False, problem))


class _Answers(_Stream[Answer]):
    """The answers of a backend: one to each query, whatever the backend does with the stream of queries."""

    def __init__(
        self,
        origin: Origin,
        name: str,
        component: object,
        method: Callable[..., Iterable[Answer]],
        queries: Iterable[Query],
    ) -> None:
        self._questions = _Questions(origin, name, component)
        self._stream = self._questions.pull(iter(queries))
        super().__init__(origin, name, lambda: method(self._stream))

    def _check(self, item: Answer) -> None:
        results.require_type(item, Answer, "an Answer")
        query = self._questions.unanswered.pop(item.id, None)
        if query is None:
            raise WrongResult(f"answered a query that does not wait for an answer: {item.id!r}")
        results.check_answer(item, query)

    def _end(self) -> None:
        if self._questions.failure is not None:
            raise self._questions.failure
        if n_unanswered := len(self._questions.unanswered):
            self._questions.refuse(f"ended without an answer to {n_unanswered} queries")
        for _ in self._stream:
            self._questions.refuse("ended before all queries were answered")


STREAMS: Mapping[str, Callable[..., _Stream[Any]]] = {"frames": _Frames, "videos": _Videos, "answer": _Answers}
"""By method: the stream around its result."""
