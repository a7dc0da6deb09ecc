"""The time of a run: seconds per stage, and the speeds that follow from them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeVar

from anyanomaly.api.activity import Times

T = TypeVar("T")

STAGES = ("decode", "encode", "gate", "contexts", "answer", "wait")
"""Reading frames; the encoder; gates; selecting key frames and building contexts; the backend; waiting for queries.

The first four run on the look-ahead thread, so the seconds of all stages may add up to more than the run took.
"""

_NO_STAGE: AbstractContextManager[None] = contextlib.nullcontext()


class Clock:
    """A clock that is off and costs nothing."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Return a context manager that adds the time of its block to a stage, and not to an enclosing stage."""
        return _NO_STAGE

    def time_items(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Yield items, and add the time of waiting for each of them to a stage."""
        return iter(items)

    def seconds(self) -> Mapping[str, float] | None:
        """Return the seconds of each stage so far; None when the clock is off."""
        return None


class StageClock(Clock):
    """A clock that measures. It may be used from several threads."""

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(STAGES, 0.0)
        self._lock = threading.Lock()
        self._inner = threading.local()

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Return a context manager that adds the time of its block to a stage."""
        return self._time_block(name)

    def time_items(self, name: str, items: Iterable[T]) -> Generator[T, None, None]:
        """Yield items; closing this generator closes the iterator that they come from."""
        iterator = iter(items)
        try:
            while True:
                with self.stage(name):
                    item = next(iterator, _END)
                if item is _END:
                    return
                yield item  # type: ignore[misc]  # anything but the end marker
        finally:
            if close := getattr(iterator, "close", None):
                close()

    def seconds(self) -> Mapping[str, float]:
        """Return the seconds of each stage so far."""
        with self._lock:
            return dict(self._seconds)

    @contextlib.contextmanager
    def _time_block(self, name: str) -> Iterator[None]:
        inner: list[float] = self._inner.__dict__.setdefault("seconds", [])  # per stage that is open on this thread
        inner.append(0.0)
        start_s = time.perf_counter()
        try:
            yield
        finally:
            elapsed_s = time.perf_counter() - start_s
            own_s = elapsed_s - inner.pop()
            if inner:
                inner[-1] += elapsed_s
            with self._lock:
                self._seconds[name] += own_s


_END = object()


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a run was, from its first frame to its last score, without loading the models."""

    wall_s: float
    n_segments: int
    n_frames: int
    n_whole_frames: int  # frames of full-length segments, as the published implementation counts
    n_texts: int
    video_s: float  # length of the searched video
    prompt_tokens: int
    output_tokens: int
    stages_s: Mapping[str, float] = field(default_factory=dict)
    waiting_share: float | None = None  # of the backend, in [0, 1]: see `waiting_share`; None: it was not asked

    @property
    def segments_per_s(self) -> float:
        """Segments per second, with all texts."""
        return self.n_segments / self.wall_s

    @property
    def frames_per_s(self) -> float:
        """Frames per second, with all texts."""
        return self.n_frames / self.wall_s

    @property
    def frames_per_s_per_text(self) -> float:
        """Frames per second times the number of texts."""
        return self.frames_per_s * self.n_texts

    @property
    def paper_fps(self) -> float:
        """Frames per second as the paper counts: frames of full-length segments, one text at a time."""
        return self.n_whole_frames * self.n_texts / self.wall_s

    @property
    def real_time(self) -> float:
        """Seconds of video per second, with all texts; at 1 or more a live camera loses no frame."""
        return self.video_s / self.wall_s

    def describe(self) -> str:
        """Return the speed and the time of each stage as one line."""
        stages = ", ".join(
            f"{name} {seconds:.1f} s" for name, seconds in self.stages_s.items() if seconds or name != "gate"
        )
        waiting = "" if self.waiting_share is None else f" {describe_waiting(self.waiting_share)}"
        tokens = f"{self.prompt_tokens:,} tokens in, {self.output_tokens:,} out"
        return (
            f"{self.wall_s:.1f} s without loading: {self.frames_per_s_per_text:.3g} frames/s per text, "
            f"{self.real_time:.3g} times real time ({stages}; {tokens}).{waiting}"
        )


MIN_DESCRIBED_S = 20.0
"""A share of a shorter time says little: models warm up, and the first question needs the first segment."""


def waiting_share(times: Times) -> float | None:
    """Return the share of the time from the first query to the last answer in which the backend waits; None: no query.

    A backend waits while it has no query that it could work on: while it pulls queries, and while the answers of a
    batch are read. One that works on the queries that it has while it pulls the next (`Backend.works_while_pulling`)
    waits only when it has none.
    """
    return times.waiting_s / times.span_s if times.span_s else None


def describe_waiting(share: float) -> str:
    """Return the share of waiting as a sentence."""
    return f"The backend waited for questions {100 * share:.{0 if share >= 0.1 else 1}f} % of the time."


def describe_long_waiting(times: Times) -> str:
    """Return the share of waiting as a sentence; empty for a backend that answered for less than `MIN_DESCRIBED_S`."""
    share = waiting_share(times)
    return "" if share is None or times.span_s < MIN_DESCRIBED_S else describe_waiting(share)
