"""Options that several backends share, with the same names, limits and descriptions.

A mixin goes after the class that it adds options to: ``class MyOptions(PixelOptions, HubModelOptions)`` shows the
model first and the pixel limits after it.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from anyanomaly.api import Download, Options
from anyanomaly.errors import UsageError
from anyanomaly.kit.hub import EXAMPLE, hub_downloads
from anyanomaly.specs import DEVICE_PATTERN

MODEL = f"a hub id such as {EXAMPLE}, or a folder"

Device = Annotated[str, Field(pattern=DEVICE_PATTERN, description="auto, cpu, mps, cuda or cuda:N")]
"""Where a model runs."""

Precision = Annotated[
    Literal["auto", "bfloat16", "float16", "float32"],
    Field(description="precision of the weights; auto: bfloat16 on a GPU, float32 on a CPU"),
]
"""Number format of the weights in memory."""


class HubModelOptions(Options):
    """A model by hub id, folder or ``owner/name:file``; its download is declared for the host."""

    model: str = Field("", description=MODEL)
    revision: str = Field("main", description="branch, tag or commit of a hub model")

    def downloads(self) -> tuple[Download, ...]:
        """Return the model's weights, when ``model`` names a hub model and no file or folder of this machine."""
        return hub_downloads(self.model, self.revision)


class PixelOptions(Options):
    """Limits of an image's area, for models that size images by their area (Qwen-VL, GLM-4.xV, Gemma 4)."""

    min_pixels: int | None = Field(
        None, ge=1, le=2**26, description="enlarge images below this many pixels (models that size images by area)"
    )
    max_pixels: int | None = Field(
        None, ge=1, le=2**26, description="shrink images above this many pixels (models that size images by area)"
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.min_pixels is not None and self.max_pixels is not None and self.min_pixels > self.max_pixels:
            raise ValueError(f"min_pixels {self.min_pixels} is above max_pixels {self.max_pixels}")
        return self

    @property
    def has_pixel_limits(self) -> bool:
        """Whether the user set a limit."""
        return self.min_pixels is not None or self.max_pixels is not None

    @property
    def pixel_range(self) -> str:
        """The limits as a part of a fingerprint: "3136-12544", "3136" or "12544" with one of them, "" with none."""
        return f"{self.min_pixels or ''}-{self.max_pixels or ''}".strip("-")

    def pixel_limits(self, smallest: int, largest: int) -> tuple[int, int]:
        """Return the least and most pixels of an image: the user's limits, else the model's own.

        :param smallest: the model's own least pixels. :param largest: its most.
        """
        low = self.min_pixels or min(smallest, self.max_pixels or smallest)
        return low, self.max_pixels or max(largest, low)


GEMMA_TOKENS = (70, 140, 280, 560, 1120)
"""Numbers of image tokens that Gemma 4 takes; each image is scaled to about that many."""


def limit_gemma_tokens(options: PixelOptions, default: int, pixels_per_token: int) -> int:
    """Return the number of image tokens nearest to the model's own within the user's limits.

    :param default: the model's own number. :param pixels_per_token: area of an image token, in pixels.
    :raises UsageError: when none is within them.
    """
    low, high = options.pixel_limits(min(GEMMA_TOKENS) * pixels_per_token, max(GEMMA_TOKENS) * pixels_per_token)
    allowed = [tokens for tokens in GEMMA_TOKENS if low <= tokens * pixels_per_token <= high]
    if not allowed:
        sizes = ", ".join(str(tokens * pixels_per_token) for tokens in GEMMA_TOKENS)
        raise UsageError(
            f"Gemma 4 scales images to one of {sizes} pixels, none of which is within the limits. "
            "Change --backend.min-pixels or --backend.max-pixels."
        )
    return min(allowed, key=lambda tokens: abs(tokens - default))


def no_area_error(model: str) -> UsageError:
    """Return the error for pixel limits with a model that does not size images by their area.

    :param model: starts the message: "Model 'owner/name'".
    """
    return UsageError(
        f"{model} does not size images by their area. "
        "Remove --backend.min-pixels and --backend.max-pixels, or scale frames with the reader."
    )
