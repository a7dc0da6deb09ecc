"""From OpenCV's images (BGR) to ours (RGB)."""

from __future__ import annotations

from typing import Any

import numpy as np

from anyanomaly.builtin.opencv import opencv
from anyanomaly.types import ImageArray


def scaled_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Return (width, height) in pixels, scaled down so that neither exceeds ``max_side``; 0: unchanged."""
    side = max(width, height)
    if not max_side or side <= max_side:
        return width, height
    return max(1, round(width * max_side / side)), max(1, round(height * max_side / side))


def to_rgb(picture: Any, size: tuple[int, int]) -> ImageArray:
    """Return a BGR image, uint8 (H, W, 3), as RGB of ``size`` (width, height) in pixels, averaging when it shrinks."""
    cv2 = opencv()
    if (picture.shape[1], picture.shape[0]) != size:
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    image: ImageArray = np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    return image
