"""Animations that are stored as parts of pictures, drawn one over the other: GIF and APNG.

Pillow, OpenCV and FFmpeg decode the parts, but each of them shows some valid files other than browsers do, so the parts
are drawn here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import numpy as np

from anyanomaly.builtin.image_file import PixelArray, check_size, decode, draw_over, on_white, opened
from anyanomaly.errors import VideoError
from anyanomaly.types import ImageArray

MAX_CANVAS_PIXELS = 25_000_000
"""Largest number of pixels of an animation. Drawing takes up to 32 bytes for each."""

MAX_ANIMATION_PIXELS = 10_000_000_000
"""Largest number of pixels of all frames together: 4,800 frames of 1080p. A frame of a few bytes can show them all."""

Disposal = Literal["keep", "clear", "restore"]
"""Before the next part is drawn, the area of a part stays, becomes transparent, or becomes what it was before."""


@dataclass(frozen=True, slots=True)
class Part:
    """One frame of an animation as stored: a still image for an area of the canvas."""

    content: bytes  # a complete image file; empty: it is damaged, or has no pixels
    left: int  # pixels from the left side of the canvas
    top: int  # pixels from the top of the canvas
    duration_s: float  # as stored, in seconds
    disposal: Disposal = "keep"
    replace: bool = False  # transparent pixels replace those of the canvas, too
    damaged: bool = False  # a checksum is wrong, or the file ends in it


def shown_duration(duration_s: float) -> float:
    """Return for how long a frame is shown, in seconds: browsers show frames of at most 10 ms for 100 ms."""
    return duration_s if duration_s > 0.0101 else 0.1


def check_total(n_pixels: int, name: str) -> None:
    """Check that all frames of a file together may be drawn.

    :raises VideoError: when they have too many pixels.
    """
    if n_pixels > MAX_ANIMATION_PIXELS:
        raise VideoError(
            f"The frames of {name} have {n_pixels:,} pixels in all, more than the "
            f"{MAX_ANIMATION_PIXELS // 10**9} billion that are drawn. Save it as a video file."
        )


def draw(parts: Iterator[Part], width: int, height: int, name: str) -> Iterator[ImageArray | VideoError]:
    """Yield the frames of an animation as a browser shows them on a white page, or why one cannot be read.

    :param width: of the canvas, in pixels. :param height: of the canvas, in pixels.
    :param name: of the file, for messages.
    """
    canvas = np.zeros((height, width, 4), np.uint8)
    for index, part in enumerate(parts):
        try:
            pixels = _decode_part(part, f"{name}, frame {index},")
        except VideoError as error:
            yield error
            continue
        area = canvas[part.top : part.top + pixels.shape[0], part.left : part.left + pixels.shape[1]]
        pixels = pixels[: area.shape[0], : area.shape[1]]
        previous = area.copy() if part.disposal == "restore" else area
        if part.replace:
            area[:] = pixels
        elif area.size:
            draw_over(area, pixels)
        yield on_white(canvas)
        if part.disposal == "clear":
            area[:] = 0
        elif part.disposal == "restore":
            area[:] = previous


def _decode_part(part: Part, name: str) -> PixelArray:
    """Return the pixels of a part as RGBA."""
    if part.damaged:
        raise VideoError(f"{name} is damaged or incomplete.")
    if not part.content:
        return np.zeros((0, 0, 4), np.uint8)
    with opened(BytesIO(part.content), name) as image:
        check_size(image.width, image.height, name, MAX_CANVAS_PIXELS)
        pixels = decode(image, name)
    opaque = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    return pixels if pixels.shape[2] == 4 else np.concatenate([pixels, opaque], axis=2)
