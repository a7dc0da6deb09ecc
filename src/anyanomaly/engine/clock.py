"""Where the time of a run goes: seconds per stage, and from them how fast the run was."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

STAGES = ("decode", "encode", "contexts", "answer", "wait")
"""Reading frames; the encoder; selecting key frames and building contexts; the backend; the backend waiting for these.

The first three go on ahead on their own thread, so the seconds of all may add up to more than the run took.
"""

_NOTHING: AbstractContextManager[None] = contextlib.nullcontext()


class Clock:
    """A clock that is off: it hands everything back as it is."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Count the time of the block for a stage; a stage inside another is taken off the outer one."""
        return _NOTHING

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Yield items, and count the time that each takes to come for a stage."""
        return iter(items)

    def seconds(self) -> Mapping[str, float] | None:
        """Return the seconds of each stage so far; None when the clock is off."""
        return None


class StageClock(Clock):
    """A clock that runs. Safe to use from several threads."""

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(STAGES, 0.0)
        self._lock = threading.Lock()
        self._inner = threading.local()

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Count the time of the block."""
        return self._counted(name)

    def each(self, name: str, items: Iterable[T]) -> Generator[T, None, None]:
        """Yield items; what they stand in is closed with the generator."""
        iterator = iter(items)
        try:
            while True:
                with self.stage(name):
                    item = next(iterator, _END)
                if item is _END:
                    return
                yield item  # type: ignore[misc]  # anything but the mark of the end
        finally:
            if close := getattr(iterator, "close", None):
                close()

    def seconds(self) -> Mapping[str, float]:
        """Return the seconds of each stage so far."""
        with self._lock:
            return dict(self._seconds)

    @contextlib.contextmanager
    def _counted(self, name: str) -> Iterator[None]:
        inner: list[float] = self._inner.__dict__.setdefault("seconds", [])  # per stage that is open on this thread
        inner.append(0.0)
        began = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - began
            own = took - inner.pop()
            if inner:
                inner[-1] += took
            with self._lock:
                self._seconds[name] += own


_END = object()


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a run was, from its first frame to its last score; loading the models is left out."""

    wall_s: float
    n_segments: int
    n_frames: int
    n_whole_frames: int  # those of segments of full length: what the published implementation counts
    n_texts: int
    video_s: float  # length of what was searched
    prompt_tokens: int
    output_tokens: int
    stages_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def segments_per_s(self) -> float:
        """Segments per second, all texts of each."""
        return self.n_segments / self.wall_s

    @property
    def frames_per_s(self) -> float:
        """Frames per second, all texts of each."""
        return self.n_frames / self.wall_s

    @property
    def frames_per_s_per_text(self) -> float:
        """Frames per second times the texts that each was searched for."""
        return self.frames_per_s * self.n_texts

    @property
    def paper_fps(self) -> float:
        """As the paper counts: frames of whole segments per second, searched for one text a time."""
        return self.n_whole_frames * self.n_texts / self.wall_s

    @property
    def real_time(self) -> float:
        """Seconds of video per second, all texts of it: from 1 on a live camera is kept up with."""
        return self.video_s / self.wall_s
