"""Images at the size at which a Qwen model reads them, computed as in the image processor of transformers.

llama.cpp resizes images by rules of its own, but not an image that has the right size already. So all engines see the
same pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from anyanomaly.errors import UsageError
from anyanomaly.kit import PixelOptions, no_area_error
from anyanomaly.types import ImageArray

# Smallest and largest image areas of the published models, in pixels, for files without these values.
PUBLISHED = {
    "qwen2vl_merger": (56 * 56, 28 * 28 * 16384),
    "qwen2.5vl_merger": (56 * 56, 28 * 28 * 16384),
    "qwen3vl_merger": (65536, 16777216),
}
MAX_ASPECT_RATIO = 200  # transformers refuses more elongated images


class ImageSizing(NamedTuple):
    """The size of images for a model: sides are multiples of ``factor``, the area is within the limits, in pixels."""

    factor: int
    min_pixels: int
    max_pixels: int

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) in pixels at which the model reads an image of ``height`` times ``width``.

        :raises UsageError: when the image is too elongated.
        """
        if max(height, width) > MAX_ASPECT_RATIO * min(height, width):
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

    def resize(self, image: ImageArray) -> ImageArray:
        """Return ``image`` at the model's size, resized with an antialiased bicubic filter.

        :raises UsageError: when the image is too elongated.
        """
        height, width = self.size(*image.shape[:2])
        if (height, width) == image.shape[:2]:
            return image
        from PIL import Image

        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def read_sizing(header: Mapping[str, Any], options: PixelOptions) -> ImageSizing | None:
    """Return the sizing for the projector that ``header`` describes; None: llama.cpp resizes images itself.

    :raises UsageError: when the user sets limits for a model that does not size images by their area.
    """
    projector = header.get("clip.projector_type", "")
    if projector not in PUBLISHED:
        if options.has_pixel_limits:
            raise no_area_error(f"A projector of type {projector!r}")
        return None
    smallest, largest = (
        header.get(f"clip.vision.image_{bound}_pixels", published)
        for bound, published in zip(("min", "max"), PUBLISHED[projector], strict=True)
    )
    factor = header["clip.vision.patch_size"] * header.get("clip.vision.spatial_merge_size", 2)
    return ImageSizing(factor, *options.pixel_limits(smallest, largest))
