"""Options of the built-in readers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from anyanomaly.api.options import Options

Hardware = Literal[
    "none", "auto", "cuda", "vaapi", "qsv", "videotoolbox", "d3d11va", "d3d12va", "dxva2", "vulkan", "amf", "vdpau"
]
"""Decoders in hardware that FFmpeg offers on one system or another."""


class FileReaderOptions(Options):
    """Options of readers of files."""

    max_side: int = Field(default=720, ge=0, description="Scale larger frames down to this side, in pixels; 0: never.")


class VideoReaderOptions(FileReaderOptions):
    """Options of the reader of video files."""

    stream: int | None = Field(
        default=None,
        ge=0,
        description="Number of the video stream, from 0, in a file with several; none: the one that players choose.",
    )
    threads: int = Field(default=0, ge=0, le=64, description="Threads of the decoder; 0: one per core.")
    hardware: Hardware = Field(
        default="none",
        description="Decode in hardware through this interface of FFmpeg; auto: if one works; none: on the CPU.",
    )


class ImageReaderOptions(FileReaderOptions):
    """Options of readers of images."""

    fps: float = Field(default=25.0, ge=1e-6, le=10_000, description="Frames per second of the images.")
