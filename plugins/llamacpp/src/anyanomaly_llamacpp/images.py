"""Images to the size at which a model of the Qwen kind reads them, as transformers' image processor sizes them.

llama.cpp would resize too, by rules of its own; given an image of the right size it leaves it alone, and the
engines see the same pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from anyanomaly.errors import UsageError
from anyanomaly.kit import PixelOptions, no_area_error
from anyanomaly.types import ImageArray

# Least and most pixels of the published models, for files that do not name them.
PUBLISHED = {
    "qwen2vl_merger": (56 * 56, 28 * 28 * 16384),
    "qwen2.5vl_merger": (56 * 56, 28 * 28 * 16384),
    "qwen3vl_merger": (65536, 16777216),
}
MOST_ELONGATED = 200  # sides' ratio from which transformers refuses an image


class Sizing(NamedTuple):
    """Sides become multiples of ``factor``, the area stays within the limits."""

    factor: int
    min_pixels: int
    max_pixels: int

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) at which an image of ``height`` times ``width`` is read."""
        if max(height, width) > MOST_ELONGATED * min(height, width):
            raise UsageError(f"An image of {width}x{height} pixels is too elongated for this model.")
        rows, columns = round(height / self.factor), round(width / self.factor)
        if rows * columns * self.factor**2 > self.max_pixels:
            shrink = math.sqrt(height * width / self.max_pixels)
            rows = max(1, math.floor(height / shrink / self.factor))
            columns = max(1, math.floor(width / shrink / self.factor))
        elif rows * columns * self.factor**2 < self.min_pixels:
            grow = math.sqrt(self.min_pixels / (height * width))
            rows, columns = math.ceil(height * grow / self.factor), math.ceil(width * grow / self.factor)
        return rows * self.factor, columns * self.factor

    def resized(self, image: ImageArray) -> ImageArray:
        """Return ``image`` at its size, with an antialiased bicubic filter."""
        height, width = self.size(*image.shape[:2])
        if (height, width) == image.shape[:2]:
            return image
        from PIL import Image

        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def read_sizing(header: Mapping[str, Any], options: PixelOptions) -> Sizing | None:
    """Return how images are sized for the projector that ``header`` describes; None: llama.cpp sizes them.

    :raises UsageError: when limits are given for a model that does not size images by their area.
    """
    projector = header.get("clip.projector_type", "")
    if projector not in PUBLISHED:
        if options.has_pixel_limits:
            raise no_area_error(f"A projector of type {projector!r}")
        return None
    smallest, largest = (
        header.get(f"clip.vision.image_{end}_pixels", published)
        for end, published in zip(("min", "max"), PUBLISHED[projector], strict=True)
    )
    factor = header["clip.vision.patch_size"] * header.get("clip.vision.spatial_merge_size", 2)
    return Sizing(factor, *options.pixel_limits(smallest, largest))
