"""Options of the built-in selectors and contexts."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from anyanomaly.api.context import ContextOptions
from anyanomaly.api.options import Options

SIDE = 240
"""Windows are cut from a frame of SIDE x SIDE pixels."""


class SelectorOptions(Options):
    """Most selectors have no options."""


class NearestOptions(Options):
    """What of a frame is compared with the text."""

    windows: tuple[Annotated[int, Field(ge=1, le=SIDE)], ...] = Field(
        default=(),
        description=f"Sizes of windows in pixels of a frame resized to {SIDE}x{SIDE}: a frame is as near as its "
        "nearest window, which tells more of what is small in it; none: the frame as a whole.",
    )


class RandomSelectorOptions(Options):
    """What the draw depends on, beside the video and the segment."""

    seed: int = Field(default=0, ge=0, description="Seed of the draw.")


class KeyOptions(ContextOptions):
    """The key frame's weight."""

    weight: float = Field(default=0.6, ge=0, description="Weight of this context's score in the fusion.")


class WindowOptions(ContextOptions):
    """The windows, in pixels of a frame resized to 240x240."""

    large: int = Field(default=120, ge=0, le=SIDE, description="Size of the large windows; 0: none.")
    middle: int = Field(default=80, ge=0, le=SIDE, description="Size of the middle windows; 0: none.")
    small: int = Field(default=48, ge=0, le=SIDE, description="Size of the small windows; 0: none.")
    stride: bool = Field(default=False, description="Let windows overlap by half.")

    @model_validator(mode="after")
    def _some_window(self) -> Self:
        if not (self.large or self.middle or self.small):
            raise ValueError("at least one of large, middle and small must be above 0")
        return self


class PositionOptions(WindowOptions):
    """The windows, and what the event text stands against."""

    weight: float = Field(default=0.3, ge=0, description="Weight of this context's score in the fusion.")
    softmax: bool = Field(default=True, description="Compare the text with other names, where there are any.")
    min_brightness: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Fraction of the brightness kept where windows resemble the text least; 0: black, as published.",
    )
    templates: bool = Field(default=True, description="Average each name over 21 sentences.")
    contrast: tuple[str, ...] = Field(default=(), description="Names to compare with that are not searched for.")
    contrast_run_texts: bool = Field(default=True, description="Compare with the run's other event texts too.")


class TemporalOptions(WindowOptions):
    """The windows, and how many of them are shown."""

    weight: float = Field(default=0.1, ge=0, description="Weight of this context's score in the fusion.")
    windows: int = Field(
        default=1,
        ge=1,
        description="Windows shown, each in a question of its own, best first and none within another; "
        "the highest score counts.",
    )


class FramesOptions(ContextOptions):
    """How many frames."""

    count: int = Field(
        default=8, ge=2, le=100, description="Frames shown, evenly spread over the segment; at most all."
    )
