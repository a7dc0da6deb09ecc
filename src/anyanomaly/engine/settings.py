"""The settings of a run, apart from its components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from anyanomaly.core.budget import Budget
from anyanomaly.core.events import EventRule
from anyanomaly.core.gate import GateMode
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.types import Sampling, Video

Scoring = Literal["words", "expected", "yes-no", "published"]


@dataclass(frozen=True, slots=True)
class ReasonRule:
    """When a reason in words is asked for, and with which prompt."""

    above: float  # lowest fused score of a segment and text, 0 to 1
    template: PromptTemplate


@dataclass(frozen=True, slots=True)
class GateRule:
    """Which segments the backend is asked about, by the priorities that gates give them."""

    mode: GateMode = "or"
    above: float = 0.0  # a segment is asked about only where its priority is above this, in [0, 1)
    budget: Budget | None = None  # None: all segments whose priority is above ``above``


@dataclass(frozen=True, slots=True)
class ClearRule:
    """Where the first context alone is enough: its score is at most ``below``, or at least ``above``, in [0, 1]."""

    below: float
    above: float

    def is_clear(self, value: float) -> bool:
        """Return whether a score of the first context is clear; an unreadable one (NaN) is not."""
        return value <= self.below or value >= self.above


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """All settings that the engine reads. Lengths are in frames or seconds as named, fractions in [0, 1]."""

    texts: tuple[str, ...]
    texts_by_video: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Event texts of single videos, by id; a video that is not in it has all of ``texts``."""
    template: PromptTemplate
    weights: Mapping[str, float]  # by name of the context, at least 0
    scoring: Scoring = "words"
    sampling: Sampling = field(default_factory=Sampling)
    reason: ReasonRule | None = None
    gate: GateRule | None = None  # None: no gate, so every segment is asked about
    clear: ClearRule | None = None  # None: every context is asked about
    segment_frames: int = 24
    segment_seconds: float | None = None  # instead of segment_frames
    every: int = 1  # read every n-th frame
    frames_per_second: float | None = None  # instead of every
    keep_tail: bool = True
    smooth_seconds: float = 0.5  # Gaussian sigma; the time constant of a live video
    smooth_frames: float | None = None  # instead of smooth_seconds
    rule: EventRule = field(default_factory=EventRule)
    lookahead_bytes: int = 512 * 2**20
    max_unreadable: float = 0.2  # largest fraction of answers without a readable score

    def texts_of(self, video: Video) -> tuple[str, ...]:
        """Return the event texts of a video, in the order of the run."""
        return self.texts_by_video.get(video.id, self.texts)

    def segment_length(self, video: Video) -> int:
        """Return the frames per segment of a video."""
        if self.segment_seconds is None:
            return self.segment_frames
        return max(1, round(self.segment_seconds * video.fps))

    def frame_step(self, video: Video) -> int:
        """Return n, where every n-th frame of a video is read; a segment has at least one frame."""
        if self.frames_per_second is None:
            return self.every
        return max(1, min(round(video.fps / self.frames_per_second), self.segment_length(video)))

    def smooth_sigma(self, fps: float) -> float:
        """Return the smoothing's sigma in frames at a frame rate."""
        return self.smooth_seconds * fps if self.smooth_frames is None else self.smooth_frames
