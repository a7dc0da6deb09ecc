"""Why readers differ on a made file or a case, for the table of ``compare.py``."""

from __future__ import annotations

NO_LAST_TIMES = "it has no time for the last frames, which the container does not state"
NO_FIRST_TIME = "its first time is that of the decoder's delay"
NO_TIMES = "it has no times: the file has none, and the nominal rate is not used"
RESTART = "its times start again at the joint"
NO_AV1 = "it opens AV1, which its FFmpeg cannot decode"
PIXELS = "it does not correct pixels that are not square"

REASONS: dict[str, dict[str, str]] = {
    "h264-b.avi": {"ffprobe": NO_LAST_TIMES, "OpenCV": NO_FIRST_TIME},
    "xvid.avi": {"ffprobe": NO_LAST_TIMES, "OpenCV": NO_FIRST_TIME},
    "mpeg2.mpg": {"ffprobe": NO_LAST_TIMES, "OpenCV": "the last two frames have the same time"},
    "raw.m2v": {"ffprobe": NO_LAST_TIMES, "OpenCV": NO_FIRST_TIME},
    "av1-aom.webm": {"OpenCV": NO_AV1},
    "av1-svt-10-bit.mp4": {"OpenCV": NO_AV1},
    "av1-rav1e.mkv": {"OpenCV": NO_AV1},
    "av1.mp4": {"OpenCV": NO_AV1},
    "h263.3gp": {"OpenCV": PIXELS},
    "dv.dv": {"OpenCV": f"{PIXELS}, and its pictures are black: its scaler refuses interlaced frames"},
    "wide-pixels.mp4": {"OpenCV": PIXELS},
    "pal-wide.mpg": {"OpenCV": PIXELS},
    "sar.mp4": {"OpenCV": PIXELS},
    "raw.h264": {"ffprobe": NO_TIMES, "OpenCV": NO_TIMES},
    "raw.hevc": {"ffprobe": NO_TIMES, "OpenCV": NO_TIMES},
    "joined.ts": {"ffprobe": RESTART, "OpenCV": RESTART},
    "joined.mpg": {"ffprobe": RESTART, "OpenCV": RESTART},
    "twice.ts": {"ffprobe": RESTART, "OpenCV": RESTART},
    "many-packets.mkv": {"OpenCV": "it gives up after 4,096 packets without a frame"},
    "broken-off.mp4": {"OpenCV": "it loses the frames that the decoder holds at the break"},
    "mirrored.mp4": {
        "pixels": "the picture is turned",
        "OpenCV": "it takes a mirrored picture for one turned by 180 degrees",
    },
    "hdr-pq.mkv": {"pixels": "ours are tone-mapped for a normal screen"},
    "interlaced.ts": {
        "pixels": "its pictures are black",
        "OpenCV": "its pictures are black: its scaler refuses interlaced frames",
    },
}
"""File to reader to the reason why that reader, or its pixels, differ from ours."""


def reason(file_name: str, reader: str) -> str:
    """Return why a reader differs from ours on a file."""
    return REASONS.get(file_name, {}).get(reader, "unexplained")
