"""The settings of a run, apart from its components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from anyanomaly.core.events import EventRule
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.types import Sampling, Video

Scoring = Literal["words", "expected", "yes-no", "published"]


@dataclass(frozen=True, slots=True)
class ReasonRule:
    """When a reason in words is asked for, and with which prompt."""

    above: float  # lowest fused score of a segment and text, 0 to 1
    template: PromptTemplate


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """All settings that the engine reads. Lengths are in frames or seconds as named, fractions in [0, 1]."""

    texts: tuple[str, ...]
    template: PromptTemplate
    weights: Mapping[str, float]  # by name of the context, at least 0
    scoring: Scoring = "words"
    sampling: Sampling = field(default_factory=Sampling)
    reason: ReasonRule | None = None
    segment_frames: int = 24
    segment_seconds: float | None = None  # instead of segment_frames
    every: int = 1  # read every n-th frame
    keep_tail: bool = True
    smooth_seconds: float = 0.5  # Gaussian sigma; the time constant of a live video
    smooth_frames: float | None = None  # instead of smooth_seconds
    rule: EventRule = field(default_factory=EventRule)
    lookahead_bytes: int = 512 * 2**20
    max_unreadable: float = 0.2  # largest fraction of answers without a readable score

    def segment_length(self, video: Video) -> int:
        """Return the frames per segment of a video."""
        if self.segment_seconds is None:
            return self.segment_frames
        return max(1, round(self.segment_seconds * video.fps))

    def smooth_sigma(self, fps: float) -> float:
        """Return the smoothing's sigma in frames at a frame rate."""
        return self.smooth_seconds * fps if self.smooth_frames is None else self.smooth_frames
