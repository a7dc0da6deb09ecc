"""Images as a model reads them: pixels and surrounding tokens as the image processors of transformers make them.

llama.cpp resizes and cuts images by rules of its own, but not an image that has the right size already. So all
engines see the same pixels. Models that size images by their area are here, those that cut them into tiles in
`anyanomaly_llamacpp.tiles`.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from anyanomaly.errors import UsageError
from anyanomaly.types import ImageArray

IMAGE = "<__anyanomaly_image__>"  # stands for an image, or a part of one, in a prompt's text
MAX_ASPECT_RATIO = 200  # transformers refuses more elongated images


class PreparedImage(NamedTuple):
    """What a model reads for one image."""

    text: str  # of the prompt, with `IMAGE` for each part
    parts: list[ImageArray]  # at the sizes at which the model reads them


class ImageLayout(Protocol):
    """How one model reads images. Its ``repr`` names all sizes."""

    @property
    def max_tokens(self) -> int:
        """More tokens than any part of an image takes."""
        ...

    def prepare(self, image: ImageArray, number: int) -> PreparedImage:
        """Return what the model reads for ``image``.

        :param number: of the image in its prompt, from 0.
        :raises UsageError: when the image is too elongated for the model.
        """
        ...


class ImageSizing(NamedTuple):
    """Sides are multiples of ``factor``, the area is within the limits, in pixels: Qwen-VL and GLM-V."""

    factor: int
    min_pixels: int
    max_pixels: int
    start: str = "<|vision_start|>"
    end: str = "<|vision_end|>"

    @property
    def max_tokens(self) -> int:
        """More tokens than any image takes."""
        return 2 * max(self.max_pixels, self.min_pixels) // self.factor**2

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
        return max(rows, 1) * self.factor, max(columns, 1) * self.factor

    def prepare(self, image: ImageArray, number: int) -> PreparedImage:
        """Return ``image`` at the model's size, resized with an antialiased bicubic filter."""
        resized = resize(image, self.size(*image.shape[:2]), "bicubic")
        return PreparedImage(self.start + IMAGE + self.end, [resized])


class PatchBudget(NamedTuple):
    """The largest sides in multiples of ``factor`` whose area is within the limit, in pixels: Gemma 4."""

    factor: int
    max_pixels: int

    @property
    def max_tokens(self) -> int:
        """More tokens than any image takes."""
        return self.max_pixels // self.factor**2

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) in pixels at which the model reads an image of ``height`` times ``width``."""
        scale = math.sqrt(self.max_pixels / (height * width)) / self.factor
        rows, columns = math.floor(scale * height), math.floor(scale * width)
        most = self.max_pixels // self.factor**2
        if not rows:
            rows, columns = 1, min(width // height, most)
        elif not columns:
            rows, columns = min(height // width, most), 1
        return rows * self.factor, columns * self.factor

    def prepare(self, image: ImageArray, number: int) -> PreparedImage:
        """Return ``image`` at the model's size, resized with an antialiased bicubic filter."""
        resized = resize(image, self.size(*image.shape[:2]), "bicubic")
        return PreparedImage(f"<|image>{IMAGE}<image|>", [resized])


def resize(image: ImageArray, size: tuple[int, int], resampling: str) -> ImageArray:
    """Return ``image`` at ``size``, (height, width) in pixels.

    :param resampling: Pillow's filter: "bilinear", "bicubic" or "lanczos".
    """
    if image.shape[:2] == size:
        return image
    from PIL import Image

    method, (height, width) = Image.Resampling[resampling.upper()], size
    # Width first, as in torchvision: Pillow 13 takes the cheaper order, and pixels that are clipped in between differ.
    widened = Image.fromarray(image).resize((width, image.shape[0]), method)
    return np.asarray(widened.resize((width, height), method))
