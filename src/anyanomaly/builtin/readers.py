"""The built-in readers."""

from anyanomaly.builtin.read_images import ImageReader
from anyanomaly.builtin.read_video import VideoReader

__all__ = ["ImageReader", "VideoReader"]
