"""From decoded frames to RGB images of one size: colour, alpha, scaling, orientation."""

from __future__ import annotations

from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc, Interpolation, VideoReformatter

from anyanomaly.builtin.opencv import opencv
from anyanomaly.builtin.video_geometry import Orientation
from anyanomaly.types import ImageArray

_HDR = frozenset({ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67})


class PictureConverter:
    """Converts frames as FFmpeg's scaler does by default: BT.601 and limited range where a file states nothing.

    Range and matrix are those that the frame states. HDR (PQ, HLG) is tone-mapped to BT.709. Transparent parts are
    black, as players show them on a black ground.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        """:param size: (width, height) in pixels of the images, as shown."""
        self._size = size
        self._reformatter = VideoReformatter()

    def convert(self, frame: VideoFrame, orientation: Orientation) -> ImageArray:
        """Return a frame as RGB, uint8 (H, W, 3), scaled to the size of the images."""
        picture = self._to_rgb(frame)
        size = orientation.size(*self._size)
        if (picture.shape[1], picture.shape[0]) != size:
            cv2 = opencv()
            shrinks = size[0] <= picture.shape[1] and size[1] <= picture.shape[0]
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return orientation.apply(picture)

    def _to_rgb(self, frame: VideoFrame) -> Any:
        """Return a frame as RGB, uint8 (H, W, 3), of its stored size; rows may be padded."""
        has_alpha = any(component.is_alpha for component in frame.format.components)
        is_hdr = frame.color_trc in _HDR
        converted = self._reformatter.reformat(
            frame,
            format="rgba" if has_alpha else "rgb24",
            interpolation=Interpolation.BICUBIC,
            dst_color_trc=ColorTrc.BT709 if is_hdr else None,
            dst_color_primaries=ColorPrimaries.BT709 if is_hdr else None,
            threads=1,
        )
        plane = converted.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: converted.height]
        n_channels = 4 if has_alpha else 3
        picture = rows[:, : converted.width * n_channels].reshape(converted.height, converted.width, n_channels)
        return _blend_on_black(picture) if has_alpha else picture


def _blend_on_black(picture: Any) -> Any:
    """Return an RGBA picture (H, W, 4) on a black ground, as RGB (H, W, 3)."""
    cv2 = opencv()
    alpha = cv2.cvtColor(np.ascontiguousarray(picture[:, :, 3]), cv2.COLOR_GRAY2RGB)
    return cv2.multiply(np.ascontiguousarray(picture[:, :, :3]), alpha, scale=1 / 255)
