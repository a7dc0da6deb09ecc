"""What is known of a video beside its scores: what the model saw and answered, and the ground truth.

A run makes evidence of the segment at the peak of each event, and of the highest segment of a video and event text
without an event. Its pictures are small enough to be stored, and it is all that a report needs: no model and no video.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from anyanomaly.types import Span


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a JPEG file."""

    jpeg: bytes
    width: int  # pixels
    height: int  # pixels
    frame: int | None = None  # number of the frame that it shows; None: it shows several, or was changed
    time_s: float | None = None  # presentation time of that frame, seconds


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """One question with its images, and the answer to it."""

    context: str  # `Context.name`
    index: int  # position among the contexts of this name
    pictures: tuple[Picture, ...]  # as the model saw them, scaled down where they are large
    system: str  # system message; empty: none
    question: str
    answer: str  # the model's words; empty: it gave log-probabilities or a value
    score: float  # as `Score.value`; NaN: it could not be read
    mass: float | None = None  # as `Score.mass`
    logprobs: Mapping[str, float] | None = None  # as `Answer.logprobs`
    reason: str = ""  # without the model's thinking and the score
    views: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)  # `Context.views`, maps at most 32 x 32
    asked: bool = True  # False: the model was not asked, and the score is NaN; question and pictures may be empty


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the model saw and answered in one segment for one event text."""

    video: str  # `Video.id`
    text: str  # the event text
    segment: int  # `Segment.index`
    start: int  # first frame
    stop: int  # behind the last frame
    start_s: float  # presentation time of the first frame, seconds
    stop_s: float  # end of the last frame, seconds
    value: float  # the fused score; NaN when no context has a score
    weights: Mapping[str, float]  # context name to its weight in the fusion
    key_frame: Picture  # the frame that is shown alone
    frames: tuple[Picture, ...]  # the frames that show motion, ascending
    exchanges: tuple[Exchange, ...]  # context by context
    priorities: Mapping[str, float] = field(default_factory=dict)  # as `SegmentScore.priorities`

    @property
    def asked(self) -> bool:
        """Whether the model was asked about the segment; otherwise its gates gave it the value."""
        return not self.exchanges or any(exchange.asked for exchange in self.exchanges)


@dataclass(frozen=True, slots=True)
class Truth:
    """The ground truth of one video for one event text."""

    video: str  # `Video.id`
    text: str  # the event text
    spans: tuple[Span, ...]  # in which it happens: presentation times, seconds, ascending
