"""Options of the built-in gates."""

from __future__ import annotations

from pydantic import Field

from anyanomaly.api.options import Options


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
        description="Smallest change of a pixel that can count, in grey levels of 256; more where the picture is noisy.",
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
