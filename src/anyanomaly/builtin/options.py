"""Options of the built-in selectors and contexts."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias, get_args

from pydantic import BeforeValidator, Field, model_validator

from anyanomaly.api.context import ContextOptions
from anyanomaly.api.options import Options

FRAME_UNITS = 240
"""Units of the frame's side in which sizes of windows are given: the published frame has as many pixels."""

Encoding: TypeAlias = Literal["exact", "dense"]
"""How windows are encoded: each as an image of its own, or all windows of a frame in one pass over the frame."""
ENCODING_HELP = "exact: encode each window by itself, as published; dense: all windows of a frame in one pass, faster."


def _refuse_encoding(value: Any) -> Any:
    """Refuse "dense" where windows are counted or measured: it is a value of the option ``encoding``."""
    values = value if isinstance(value, list | tuple) else [value]
    if encodings := [str(item) for item in values if item in get_args(Encoding)]:
        raise ValueError(f"these are numbers; the option for {encodings[0]} windows is encoding")
    return value


class SelectorOptions(Options):
    """Options of selectors that have none."""


class NearestOptions(Options):
    """Which frames are compared with the text, and which part of them."""

    windows: Annotated[tuple[Annotated[int, Field(ge=1, le=FRAME_UNITS)], ...], BeforeValidator(_refuse_encoding)] = (
        Field(
            default=(),
            description=f"Sizes of windows, in {FRAME_UNITS}ths of the frame's side: a frame is as similar to the text "
            "as its most similar window, which finds small things; none: compare the whole frame.",
        )
    )
    encoding: Encoding = Field(default="exact", description=ENCODING_HELP)
    stride: int = Field(
        default=1,
        ge=1,
        description="Compare every n-th frame of a segment, from its first; the other frames can only stand for their "
        "group.",
    )


class RandomSelectorOptions(Options):
    """The seed of the random frames."""

    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="Seed of the random frames.")


class KeyOptions(ContextOptions):
    """The key frame's weight."""

    weight: float = Field(default=0.6, ge=0, description="Weight of this context's score in the fusion.")


class WindowOptions(ContextOptions):
    """The windows, in 240ths of the frame's side, whatever the encoder's input size."""

    large: int = Field(
        default=120,
        ge=0,
        le=FRAME_UNITS,
        description="Size of the large windows, in 240ths of the frame's side; 0: none.",
    )
    middle: int = Field(
        default=80,
        ge=0,
        le=FRAME_UNITS,
        description="Size of the middle windows, in 240ths of the frame's side; 0: none.",
    )
    small: int = Field(
        default=48,
        ge=0,
        le=FRAME_UNITS,
        description="Size of the small windows, in 240ths of the frame's side; 0: none.",
    )
    stride: bool = Field(default=False, description="Let windows overlap by half.")
    encoding: Encoding = Field(default="exact", description=ENCODING_HELP)

    @model_validator(mode="after")
    def _check_windows(self) -> Self:
        if not (self.large or self.middle or self.small):
            raise ValueError("at least one of large, middle and small must be above 0")
        return self


class PositionOptions(WindowOptions):
    """The windows, and the names that the event text is compared with."""

    weight: float = Field(default=0.3, ge=0, description="Weight of this context's score in the fusion.")
    encoding: Encoding = Field(default="exact", description=ENCODING_HELP, json_schema_extra={"other_flag": "windows"})
    softmax: bool = Field(default=True, description="Compare the text with other names, if there are any.")
    min_brightness: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Fraction of the brightness kept where windows are least similar to the text; published: 0.",
    )
    templates: bool = Field(default=True, description="Average each name over 21 text templates.")
    contrast: tuple[str, ...] = Field(
        default=(), description="Names to compare the text with, beside the run's event texts."
    )
    contrast_run_texts: bool = Field(default=True, description="Compare with the run's other event texts too.")


class TemporalOptions(WindowOptions):
    """The windows, and how many of them become contexts."""

    weight: float = Field(default=0.1, ge=0, description="Weight of this context's score in the fusion.")
    windows: Annotated[int, BeforeValidator(_refuse_encoding)] = Field(
        default=1,
        ge=1,
        description="Number of windows, best first, none inside another, with one query each; the highest "
        "score counts.",
    )


class FramesOptions(ContextOptions):
    """The number of frames."""

    count: int = Field(
        default=8, ge=2, le=100, description="Number of evenly spaced frames; a shorter segment gives all its frames."
    )
