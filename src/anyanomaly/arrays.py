"""The arrays of values, by element type, and images."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

ImageArray: TypeAlias = npt.NDArray[np.uint8]
"""uint8 (H, W, 3), RGB, C-contiguous, not writeable."""

FloatArray: TypeAlias = npt.NDArray[np.float32]
"""float32; each use documents the shape."""

BoolArray: TypeAlias = npt.NDArray[np.bool_]
"""bool; each use documents the shape."""

TimeArray: TypeAlias = npt.NDArray[np.float64]
"""float64 (n,): presentation times in seconds."""


def as_image(image: npt.NDArray[Any]) -> ImageArray:
    """Return ``image``, uint8 (H, W, 3), made read-only in place.

    :raises ValueError: when it has another type or shape, has no pixels, or is not C-contiguous.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"an image must be uint8 (H, W, 3), got {image.dtype} {image.shape}")
    if not image.flags.c_contiguous:
        raise ValueError("an image must be C-contiguous; use numpy.ascontiguousarray")
    image.flags.writeable = False
    return image
