"""The reader that anyanomaly had before PyAV, as a measure: OpenCV's ``VideoCapture``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def opencv_frames(path: Path, max_side: int = 0) -> Iterator[tuple[float, Any]]:
    """Yield the presentation time in seconds and the image (H, W, 3), uint8, RGB, of each frame.

    :param max_side: larger frames are scaled down to this side in pixels; 0: never.
    """
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    time_s = 0.0
    try:
        while capture.grab():
            time_s = max(time_s, capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            is_read, picture = capture.retrieve()
            if not is_read:
                return
            height, width, _ = picture.shape
            side = max(height, width)
            if max_side and side > max_side:
                size = round(width * max_side / side), round(height * max_side / side)
                picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            yield time_s, np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    finally:
        capture.release()
