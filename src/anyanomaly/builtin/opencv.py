"""OpenCV, imported on first use and quiet."""

from __future__ import annotations

import os
from typing import Any


def opencv() -> Any:
    """Import ``cv2`` and return it; OpenCV and its FFmpeg then print nothing.

    Both read their log level from the environment at import, so it is set before; a level that the user has set stays.
    The errors of the readers describe the problem in one sentence instead.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    import cv2

    return cv2
