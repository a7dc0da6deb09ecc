"""OpenCV, imported on first use and quiet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from anyanomaly.errors import UsageError


def opencv() -> Any:
    """Import ``cv2`` and return it; OpenCV and its FFmpeg then print nothing.

    Both read their log level from the environment at import, so it is set before; a level that the user has set stays.
    The errors of the readers describe the problem in one sentence instead.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    import cv2

    return cv2


def opencv_path(path: str | Path) -> str:
    """Return a path for OpenCV's own functions, which crash the process on a name that is not UTF-8.

    :raises UsageError: for such a name.
    """
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"OpenCV cannot open {path}, because the name is not UTF-8. Rename it.") from None
    return str(path)
