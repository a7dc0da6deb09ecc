"""OpenCV's pictures to ours."""

from __future__ import annotations

from typing import Any

import numpy as np

from anyanomaly.builtin.opencv import opencv
from anyanomaly.types import ImageArray


def scaled_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Return (width, height) scaled down to ``max_side`` pixels, the aspect ratio kept; 0: as it is."""
    side = max(width, height)
    if not max_side or side <= max_side:
        return width, height
    return max(1, round(width * max_side / side)), max(1, round(height * max_side / side))


def to_rgb(picture: Any, size: tuple[int, int]) -> ImageArray:
    """Turn a BGR picture into RGB of ``size`` (width, height), averaging over the pixels that vanish."""
    cv2 = opencv()
    if (picture.shape[1], picture.shape[0]) != size:
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    image: ImageArray = np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    return image
