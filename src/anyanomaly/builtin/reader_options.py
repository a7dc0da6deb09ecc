"""Options of the built-in readers."""

from __future__ import annotations

from pydantic import Field

from anyanomaly.api.options import Options


class VideoReaderOptions(Options):
    """Options of readers of files."""

    max_side: int = Field(default=720, ge=0, description="Scale larger frames down to this side, in pixels; 0: never.")


class ImageReaderOptions(VideoReaderOptions):
    """Options of readers of images."""

    fps: float = Field(default=25.0, gt=0, description="Frames per second of the images.")
