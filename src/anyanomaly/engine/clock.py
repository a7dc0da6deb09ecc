"""The time of a run: seconds per stage, and the speeds that follow from them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeVar

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
        tokens = f"{self.prompt_tokens:,} tokens in, {self.output_tokens:,} out"
        return (
            f"{self.wall_s:.1f} s without loading: {self.frames_per_s_per_text:.3g} frames/s per text, "
            f"{self.real_time:.3g} times real time ({stages}; {tokens})."
        )
