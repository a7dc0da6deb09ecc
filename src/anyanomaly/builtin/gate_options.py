"""Options of the built-in gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from anyanomaly.api.options import Options
from anyanomaly.builtin.options import FRAME_UNITS


class MotionOptions(Options):
    """What counts as motion."""

    smallest: float = Field(
        default=0.01,
        ge=0.002,
        le=1,
        description="Side of the smallest thing whose motion counts, as a fraction of the picture's width.",
    )
    contrast: float = Field(
        default=10.0,
        ge=1,
        le=255,
        description="Smallest change of a pixel that can count, in grey levels of 256.",
    )
    noise_factor: float = Field(
        default=5.0, ge=1, le=100, description="A change counts when it is this many times the noise of its pixel."
    )
    absorb_seconds: float = Field(
        default=30.0,
        ge=0,
        le=86_400,
        description="Seconds after which a thing that stands still belongs to the background and counts no longer.",
    )
    frames: int = Field(
        default=6, ge=1, le=1000, description="Largest number of frames of a segment to look at, evenly spaced."
    )
    width: int = Field(default=320, ge=32, le=1920, description="Width in pixels to which frames are reduced.")


class SimilarityGateOptions(Options):
    """What is compared with the texts, and how fast a camera's background is learned."""

    windows: tuple[Annotated[int, Field(ge=1, le=FRAME_UNITS)], ...] = Field(
        default=(120,),
        description=f"Sizes of windows to compare with the text, in {FRAME_UNITS}ths of the frame's side; smaller ones "
        "find smaller things; none: compare the whole frame.",
    )
    frames: int = Field(
        default=2, ge=1, le=1000, description="Largest number of frames of a segment to look at, evenly spaced."
    )
    background_seconds: float = Field(
        default=30.0,
        gt=0,
        le=86_400,
        description="Seconds of video after which the camera's own background decides, and no longer the similarity "
        "itself.",
    )


class BackendGateOptions(Options):
    """The backend that is asked first."""

    name: str = Field(default="", description="Name of the backend that is asked first: a small, fast model.")
    options: Mapping[str, Any] = Field(
        default_factory=dict, description="Its options: the table [gate.backend.options] of a config file."
    )
    scoring: Literal["auto", "words", "expected", "yes-no"] = Field(
        default="auto",
        description="How its answers become priorities, as --scoring; auto: expected where it gives log-probabilities, "
        "else words.",
    )
    max_tokens: int = Field(default=64, ge=1, le=131_072, description="Maximum number of tokens in its answers.")
