"""Images in the model's own size, pixel for pixel as the model's image processor makes them."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from anyanomaly.types import ImageArray

CHECKED_SHAPES = ((75, 131), (200, 333), (231, 58))
"""Heights and widths of the random images with which `find_sizing` compares; no model has them as its own size."""


class ImageSizing:
    """The first step of an image processor of transformers that sizes images by their area: it resizes.

    It can be sent to another process.
    """

    def __init__(self, image_processor: Any) -> None:
        """:param image_processor: of Qwen-VL, GLM-4.xV or a family with the same method ``resize``."""
        self._processor = image_processor
        arguments = {
            "size": image_processor.size,
            "resample": image_processor.resample,
            "factor": image_processor.patch_size * image_processor.merge_size,
            "temporal_factor": image_processor.temporal_patch_size,
        }
        names = inspect.signature(image_processor.resize).parameters
        self._arguments = {name: value for name, value in arguments.items() if name in names}

    def resize(self, image: ImageArray) -> ImageArray:
        """Return an image in the model's own size: shape (height, width, 3), uint8.

        :param image: shape (height, width, 3), uint8.
        """
        import torch

        batch = torch.from_numpy(image).permute(2, 0, 1)[None]
        resized = self._processor.resize(images=batch, **self._arguments)[0]
        array: ImageArray = resized.permute(1, 2, 0).contiguous().numpy()
        return array


def find_sizing(processor: Any) -> ImageSizing | None:
    """Return how a processor of transformers sizes images; None when it does not size them by their area.

    A sizing is only returned when the processor gives exactly the same tensors for a resized image as for the original,
    so that nothing depends on where an image was resized.
    """
    image_processor = getattr(processor, "image_processor", None)
    if not type(image_processor).__module__.startswith("transformers."):  # another process could not import it
        return None
    try:
        sizing = ImageSizing(image_processor)
        random = np.random.default_rng(0)
        for height, width in CHECKED_SHAPES:
            image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
            if not _has_equal_tensors(image_processor, image, sizing.resize(image)):
                return None
    except (AttributeError, TypeError, ValueError, RuntimeError):  # another kind of processor, or another release
        return None
    return sizing


def _has_equal_tensors(image_processor: Any, first: ImageArray, second: ImageArray) -> bool:
    from PIL import Image

    tensors = [image_processor(images=[Image.fromarray(image)], return_tensors="pt") for image in (first, second)]
    return all(bool((tensors[0][name] == tensors[1][name]).all()) for name in image_processor.model_input_names)
