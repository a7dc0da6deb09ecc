"""Video files made with the system's ffmpeg, in many combinations of codec and container, and with odd features.

All show a red, lime, yellow and blue corner (clockwise from the top left), by which their orientation is recognised.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CORNERS = (
    "drawbox=0:0:60:60:red:fill,drawbox=iw-60:0:60:60:lime:fill,"
    "drawbox=iw-60:ih-60:60:60:yellow:fill,drawbox=0:ih-60:60:60:blue:fill"
)
SOURCE = f"testsrc2=size=320x240:rate=25,{CORNERS}"
X265 = "-c:v libx265 -x265-params log-level=none"

COMBINATIONS = {
    "h264.mp4": "-c:v libx264 -pix_fmt yuv420p",
    "h264-fragments.mp4": "-c:v libx264 -pix_fmt yuv420p -movflags frag_keyframe+empty_moov",
    "h264-10-bit.mkv": "-c:v libx264 -pix_fmt yuv420p10le",
    "h264-444.mov": "-c:v libx264 -pix_fmt yuv444p",
    "h264-grey.mp4": "-c:v libx264 -pix_fmt gray",
    "h264.ts": "-c:v libx264 -pix_fmt yuv420p",
    "h264.m2ts": "-c:v libx264 -pix_fmt yuv420p",
    "h264.flv": "-c:v libx264 -pix_fmt yuv420p",
    "h264-b.avi": "-c:v libx264 -pix_fmt yuv420p",
    "hevc.mp4": f"{X265} -pix_fmt yuv420p",
    "hevc-10-bit.mkv": f"{X265} -pix_fmt yuv420p10le",
    "hevc.ts": f"{X265} -pix_fmt yuv420p",
    "av1-aom.webm": "-c:v libaom-av1 -cpu-used 8 -pix_fmt yuv420p",
    "av1-svt-10-bit.mp4": "-c:v libsvtav1 -preset 12 -pix_fmt yuv420p10le",
    "av1-rav1e.mkv": "-c:v librav1e -speed 10 -pix_fmt yuv420p",
    "vp9.webm": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p",
    "vp9.ivf": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p",
    "vp9-alpha.webm": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuva420p",
    "vp8.webm": "-c:v libvpx -deadline realtime -pix_fmt yuv420p",
    "mpeg4-b.mp4": "-c:v mpeg4 -bf 2",
    "xvid.avi": "-c:v libxvid -bf 2",
    "mpeg2.mpg": "-c:v mpeg2video -bf 2",
    "mpeg2.vob": "-c:v mpeg2video -f dvd",
    "mpeg2.mxf": "-c:v mpeg2video",
    "mpeg1.mpg": "-c:v mpeg1video",
    "mjpeg.avi": "-c:v mjpeg -pix_fmt yuvj420p",
    "mjpeg-422.mov": "-c:v mjpeg -pix_fmt yuvj422p",
    "prores.mov": "-c:v prores_ks",
    "prores-4444.mov": "-c:v prores_ks -profile:v 4444 -pix_fmt yuva444p10le",
    "dnxhr.mxf": "-c:v dnxhd -profile:v dnxhr_sq -pix_fmt yuv422p",
    "cineform.mov": "-c:v cfhd",
    "ffv1.mkv": "-c:v ffv1 -pix_fmt yuv420p",
    "huffyuv.avi": "-c:v huffyuv -pix_fmt yuv422p",
    "utvideo.avi": "-c:v utvideo -pix_fmt yuv420p",
    "magicyuv.avi": "-c:v magicyuv -pix_fmt gbrp",
    "png-alpha.mov": "-c:v png -pix_fmt rgba",
    "qtrle.mov": "-c:v qtrle",
    "jpeg2000.mkv": "-c:v libopenjpeg",
    "theora.ogv": "-c:v libtheora -pix_fmt yuv420p",
    "wmv2.wmv": "-c:v wmv2",
    "flv1.flv": "-c:v flv",
    "h263.3gp": "-c:v h263 -s 352x288",
    "rv20.rm": "-c:v rv20",
    "svq1.mov": "-c:v svq1 -pix_fmt yuv410p",
    "dv.dv": "-s 720x576 -pix_fmt yuv420p",
    "raw.avi": "-c:v rawvideo -pix_fmt bgr24",
    "raw.y4m": "-pix_fmt yuv420p",
    "animation.gif": "",
    "animation.apng": "-f apng -plays 0",
}
"""File name to the options of ffmpeg's encoder and muxer."""


@dataclass(frozen=True)
class OddFile:
    """A file with an odd feature: how it is made, from what."""

    options: str  # of ffmpeg, behind the input
    input_options: str = ""  # before the input
    source: str = ""  # another made file; empty: the test source
    change: Callable[[Path], None] | None = None  # of the finished file


def _join(path: Path) -> None:
    path.write_bytes(2 * path.read_bytes())


def _mirror(path: Path) -> None:
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    content[at : at + 36] = struct.pack(">9i", -(1 << 16), 0, 0, 0, 1 << 16, 0, 320 << 16, 0, 1 << 30)
    path.write_bytes(content)


def _miscount(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for header, offset in ((b"avih", 24), (b"strh", 40)):
        at = content.index(header) + offset
        content[at : at + 4] = struct.pack("<I", 9999)
    path.write_bytes(content)


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    start = len(content) // 2
    content[start : start + 3000] = bytes(3000)
    path.write_bytes(content)


ODD_FILES = {
    "raw.h264": OddFile("-c:v libx264 -pix_fmt yuv420p"),
    "raw.hevc": OddFile(f"{X265} -pix_fmt yuv420p"),
    "raw.m2v": OddFile("-c:v mpeg2video"),
    "cut.mp4": OddFile("-c copy", "-ss 0.6", source="h264.mp4"),
    "joined.ts": OddFile("-c copy", source="h264.ts", change=_join),
    "joined.mpg": OddFile("-c copy", source="mpeg2.mpg", change=_join),
    "miscounted.avi": OddFile("-c copy", source="mjpeg.avi", change=_miscount),
    "many-packets.mkv": OddFile(
        "-af asetnsamples=n=16 -r 1/2 -c:v libx264 -g 1 -c:a pcm_s16le", "-f lavfi -i sine=r=48000"
    ),
    "turned-90.mp4": OddFile("-c copy -metadata:s:v rotate=90", source="h264.mp4"),
    "turned-180.mp4": OddFile("-c copy -metadata:s:v rotate=180", source="h264.mp4"),
    "turned-270.mp4": OddFile("-c copy -metadata:s:v rotate=270", source="h264.mp4"),
    "mirrored.mp4": OddFile("-c copy", source="h264.mp4", change=_mirror),
    "wide-pixels.mp4": OddFile("-vf setsar=2 -c:v libx264 -pix_fmt yuv420p"),
    "pal-wide.mpg": OddFile("-s 720x576 -aspect 16:9 -c:v mpeg2video"),
    "varying-rate.mp4": OddFile(
        "-vf select='not(mod(n\\,7))+not(mod(n\\,5))' -vsync vfr -c:v libx264 -pix_fmt yuv420p"
    ),
    "interlaced.ts": OddFile("-vf interlace -c:v libx264 -flags +ildct+ilme -pix_fmt yuv420p"),
    "odd-size.mp4": OddFile("-s 321x241 -c:v libx264 -pix_fmt yuv444p"),
    "hdr-pq.mkv": OddFile(
        "-c:v libx265 -pix_fmt yuv420p10le -x265-params log-level=none -color_trc smpte2084 -color_primaries bt2020 "
        "-colorspace bt2020nc"
    ),
    "broken-off.mp4": OddFile("-c copy -movflags faststart", source="h264.mp4", change=_cut),
    "damaged.ts": OddFile("-c copy", source="h264.ts", change=_damage),
}
"""File name to how it is made."""


def make_file(name: str, folder: Path) -> Path:
    """Make a file of ``COMBINATIONS`` or ``ODD_FILES`` in a folder, unless it is there; return its path."""
    path = folder / name
    if path.exists():
        return path
    odd = ODD_FILES.get(name, OddFile(COMBINATIONS.get(name, "")))
    source = ["-i", str(make_file(odd.source, folder))] if odd.source else ["-f", "lavfi", "-i", SOURCE]
    length = [] if odd.source else ["-t", "60" if name == "many-packets.mkv" else "2"]
    inputs = [*odd.input_options.split(), *source]
    command = ["ffmpeg", "-y", "-v", "error", *inputs, *length, *odd.options.split(), str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    if odd.change:
        odd.change(path)
    return path
