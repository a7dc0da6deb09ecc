"""From decoded frames to RGB images of one size: colour, alpha, scaling, orientation."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from anyanomaly.builtin.opencv import opencv
from anyanomaly.builtin.video_geometry import Orientation
from anyanomaly.builtin.video_hdr import HDR_TRANSFERS, tone_map
from anyanomaly.errors import VideoError
from anyanomaly.types import ImageArray

_LAYOUTS: dict[str, tuple[Any, int]] = {"bgr24": (np.uint8, 3), "bgra": (np.uint8, 4), "rgb48le": ("<u2", 3)}
"""Packed formats of FFmpeg with type and number of values per pixel; its conversion to bgr24 is finer than to rgb24."""

_MATRICES = frozenset({0, 1, 2, 4, 5, 6, 7, 9})
"""Matrices (AVColorSpace) that FFmpeg's scaler knows: RGB, BT.709, unknown, FCC, BT.601 twice, SMPTE 240M, BT.2020."""

_BT2020_CONSTANT, _BT2020, _UNKNOWN = 10, 9, 2


class PictureConverter:
    """Converts frames, in a thread of its own, as FFmpeg's scaler does: BT.601 and limited range if nothing is stated.

    Range and matrix are those that the frame states. HDR (PQ, HLG) is tone-mapped. Transparent parts are black, as
    players show them on a black ground.
    """

    def __init__(self, uri: str, size: tuple[int, int]) -> None:
        """:param uri: of the video, for messages. :param size: (width, height) in pixels of the images, as shown."""
        self._uri = uri
        self._size = size
        self._reformatter = VideoReformatter()
        self._thread = ThreadPoolExecutor(1, "anyanomaly-pictures")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown()

    def convert(self, frame: VideoFrame, orientation: Orientation) -> Future[ImageArray]:
        """Return a frame as RGB, uint8 (H, W, 3), scaled to the size of the images, as soon as it is ready.

        The result raises ``VideoError`` when FFmpeg cannot convert the pixel format.
        """
        return self._thread.submit(self._convert, frame, orientation)

    def _convert(self, frame: VideoFrame, orientation: Orientation) -> ImageArray:
        size = orientation.size(*self._size)
        if frame.color_trc in HDR_TRANSFERS:
            picture = tone_map(_resize(self._unpack(frame, "rgb48le"), size), frame.color_trc)
        elif any(component.is_alpha for component in frame.format.components):
            picture = _swap_channels(_resize(_blend_on_black(self._unpack(frame, "bgra")), size))
        else:
            picture = _swap_channels(_resize(self._unpack(frame, "bgr24"), size))
        return orientation.apply(picture)

    def _unpack(self, frame: VideoFrame, layout: str) -> Any:
        """Return a frame of its stored size as an array (H, W, channels), whose rows may be padded."""
        if frame.colorspace not in _MATRICES:
            frame.colorspace = _BT2020 if frame.colorspace == _BT2020_CONSTANT else _UNKNOWN
        if frame.color_range not in (0, 1, 2):
            frame.color_range = 0
        try:
            if frame.format.is_bayer and frame.height < 2:  # FFmpeg ends the process
                raise ValueError("one row")
            packed = self._reformatter.reformat(frame, format=layout, interpolation=Interpolation.BICUBIC, threads=1)
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(
                f"{self._uri} holds frames of the pixel format {frame.format.name}, which cannot be converted to RGB. "
                f"Export it again, for example as H.264."
            ) from error
        dtype, n_channels = _LAYOUTS[layout]
        plane = packed.planes[0]
        values = np.frombuffer(memoryview(plane), dtype)
        rows = values.reshape(-1, plane.line_size // values.itemsize)[: packed.height, : packed.width * n_channels]
        return rows.reshape(packed.height, packed.width, n_channels)


def _resize(picture: Any, size: tuple[int, int]) -> Any:
    """Return a picture (H, W, channels) of ``size`` (width, height), averaging when it shrinks."""
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    cv2 = opencv()
    shrinks = size[0] <= picture.shape[1] and size[1] <= picture.shape[0]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _swap_channels(picture: Any) -> Any:
    """Return a BGR picture (H, W, 3) as RGB."""
    cv2 = opencv()
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _blend_on_black(picture: Any) -> Any:
    """Return a BGRA picture (H, W, 4) on a black ground, as BGR (H, W, 3)."""
    cv2 = opencv()
    alpha = cv2.cvtColor(np.ascontiguousarray(picture[:, :, 3]), cv2.COLOR_GRAY2RGB)
    return cv2.multiply(np.ascontiguousarray(picture[:, :, :3]), alpha, scale=1 / 255)
