"""Single frames of a source as small JPEG pictures."""

from __future__ import annotations

import io
import math

from anyanomaly.media.clip_source import ClipSource
from anyanomaly.types import ImageArray

_QUALITY = 85


def read_still(source: ClipSource, time_s: float, max_side: int) -> bytes:
    """Return the frame that is shown at a time, as a JPEG file; empty: there is none.

    :param max_side: a larger picture is scaled down to this side, pixels. :raises VideoError: when it cannot be read.
    """
    frame = next(source.frames(time_s, math.inf), None)
    return b"" if frame is None else _encode(frame.image, max_side)


def _encode(image: ImageArray, max_side: int) -> bytes:
    from PIL import Image

    picture = Image.fromarray(image)
    picture.thumbnail((max_side, max_side))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
