"""Options of the built-in readers."""

from __future__ import annotations

from pydantic import Field

from anyanomaly.api.options import Options


class VideoReaderOptions(Options):
    """How video files are read."""

    max_side: int = Field(default=720, ge=0, description="Scale larger frames down to this side, in pixels; 0: never.")


class ImageReaderOptions(VideoReaderOptions):
    """How folders of images are read."""

    fps: float = Field(default=25.0, gt=0, description="Frames per second that the images stand for.")
