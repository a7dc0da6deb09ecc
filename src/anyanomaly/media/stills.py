"""Single frames of a source as small JPEG pictures."""

from __future__ import annotations

import math

from anyanomaly.builtin.pictures import encode_jpeg
from anyanomaly.media.clip_source import ClipSource


def read_still(source: ClipSource, time_s: float, max_side: int) -> bytes:
    """Return the frame that is shown at a time, as a JPEG file; empty: there is none.

    :param max_side: a larger picture is scaled down to this side, pixels. :raises VideoError: when it cannot be read.
    """
    frame = next(source.frames(time_s, math.inf), None)
    return b"" if frame is None else encode_jpeg(frame.image, max_side)[0]
