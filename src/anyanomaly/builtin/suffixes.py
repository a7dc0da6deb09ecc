"""Suffixes of the files that the built-in readers are chosen for. Literals only."""

from __future__ import annotations

_VIDEO = (
    ".mp4 .m4v .mov .qt .3gp .3g2 .mj2 .mkv .webm .mk3d .avi .divx .wmv .asf .flv .f4v .ts .m2ts .mts .m2t .mpg .mpeg "
    ".mpe .m1v .m2v .mpv .vob .evo .ogv .ogm .ogx .mxf .gxf .lxf .nut .ivf .obu .av1 .h263 .h264 .264 .avc "
    ".h265 .265 .hevc .h266 .266 .vvc .mjpeg .mjpg .y4m .dv .dif .rm .rmvb .wtv .nuv .dav .vc1 .drc .cine .ser .mlv"
)
_IMAGES = ".jpg .jpeg .jpe .jfif .png .apng .webp .gif .bmp .dib .tif .tiff .avif .jp2 .pbm .pgm .ppm .pnm"

VIDEO_SUFFIXES = frozenset(_VIDEO.split())

IMAGE_SUFFIXES = frozenset(_IMAGES.split())
"""Files with these suffixes are the images of a folder, too."""
