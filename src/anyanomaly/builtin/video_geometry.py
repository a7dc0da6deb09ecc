"""How a frame is shown: rotation and mirroring, and the shape of its pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np
from av.video.frame import VideoFrame

from anyanomaly.types import ImageArray

if TYPE_CHECKING:
    from av.sidedata.sidedata import SideDataContainer

MAX_PIXEL_RATIO = 16
"""Pixels stated to be longer than this times their width are a wrong header: they are taken as square."""

SKEW = 0.02
"""A display matrix within about one degree of a quarter turn is one; other angles are ignored."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """From the stored to the shown picture: first swap rows and columns, then mirror."""

    transpose: bool = False
    mirror_x: bool = False  # left becomes right
    mirror_y: bool = False  # top becomes bottom

    def apply(self, image: ImageArray) -> ImageArray:
        """Return an image (H, W, 3) as it is shown, C-contiguous."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        shown_image: ImageArray = np.ascontiguousarray(
            image[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        )
        return shown_image

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) as shown of a stored size, and the stored size of a shown one."""
        return (height, width) if self.transpose else (width, height)


class OrientationTracker:
    """Follows how the frames of a stream are shown, by quarter turns and mirrors.

    A stream may state it at key frames only, and then it holds for the frames that follow.
    """

    def __init__(self) -> None:
        self._angle: int | None = None  # of the last display matrix that was read, degrees
        self._orientation = Orientation()

    def follow(self, frame: VideoFrame) -> Orientation:
        """Return how the next frame is shown."""
        # side data is read rarely: PyAV keeps a frame whose side data was read until the garbage collector comes by
        if self._angle is None or (frame.key_frame and frame.rotation != self._angle):
            self._angle, self._orientation = frame.rotation, _read_orientation(frame)
        return self._orientation


def _read_orientation(frame: VideoFrame) -> Orientation:
    matrix = cast("SideDataContainer", frame.side_data).get("DISPLAYMATRIX")
    if matrix is None:
        return Orientation()
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))  # a stored (x, y) is shown at (ax + cy, bx + dy)
    if max(abs(b), abs(c)) <= SKEW * min(abs(a), abs(d)):
        return Orientation(mirror_x=a < 0, mirror_y=d < 0)
    if max(abs(a), abs(d)) <= SKEW * min(abs(b), abs(c)):
        return Orientation(transpose=True, mirror_x=c < 0, mirror_y=b < 0)
    return Orientation()


def square_pixel_size(width: int, height: int, pixel_ratio: Fraction | None) -> tuple[int, int]:
    """Return (width, height) with square pixels; like players, enlarge the short side rather than lose pixels.

    :param pixel_ratio: width of a pixel divided by its height; None or 0: not stated.
    """
    if not pixel_ratio or not 1 / MAX_PIXEL_RATIO <= pixel_ratio <= MAX_PIXEL_RATIO:
        return width, height
    if pixel_ratio > 1:
        return round(width * pixel_ratio), height
    return width, round(height / pixel_ratio)
