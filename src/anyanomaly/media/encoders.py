"""The video encoders of this FFmpeg, and how encoded pictures name their colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import av
from av.codec.codec import UnknownCodecError
from av.video.reformatter import ColorRange, Colorspace

_BT709 = 1
"""FFmpeg's number of the colours of HD video: of its matrix, primaries and transfer function."""


def choose_encoder(names: Sequence[str]) -> str | None:
    """Return the first encoder that this FFmpeg has; None: it has none of them."""
    return next((name for name in names if _has_encoder(name)), None)


def to_hd_colours(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """Return a frame of this size, in pixels, as 4:2:0 in the colours of HD video, which `tag_hd_colours` names."""
    return frame.reformat(
        width,
        height,
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        threads=1,
    )


def tag_hd_colours(context: Any) -> None:
    """Make an encoder, by its codec context, write that its pictures have the colours of HD video."""
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = ColorRange.MPEG


def _has_encoder(name: str) -> bool:
    try:
        av.Codec(name, "w")
    except (UnknownCodecError, ValueError):
        return False
    return True
