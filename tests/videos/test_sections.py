"""A section of a video has the frames, numbers and times that it has in the whole, in every kind of file."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.shared import shared
from tests.videos.making import remux, write_video
from tests.videos.marks import draw
from tests.videos.patching import set_edits
from tests.videos.reading import Reading, read

X265 = {"x265-params": "log-level=none:keyint=12"}
N_FRAMES = 75
SECTIONS = [
    (0.0, 0.5),
    (0.37, 1.2),
    (0.48, 0.52),
    (1.0, math.inf),
    (1.96, 2.04),
    (2.9, 3.5),
    (2.0001, 2.0002),
    (9.0, 10.0),
]
"""Start and stop in seconds: at frames, between frames, without a frame, behind the end."""


def plain(name: str, codec: str, **options: str) -> Callable[[Path], Path]:
    """Return what writes numbered frames with an encoder's options into a file."""

    def write(folder: Path) -> Path:
        pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
        return write_video(folder / name, N_FRAMES, codec=codec, pix_fmt=pix_fmt, options=options)

    return write


def varying(folder: Path) -> Path:
    times_ms = [number * 40 + number % 3 * 11 for number in range(N_FRAMES)]
    return write_video(folder / "varying.mkv", N_FRAMES, times_ms=times_ms, options={"g": "10"})


def joined(folder: Path) -> Path:
    parts = [
        write_video(folder / f"{first}.ts", [draw(first + number) for number in range(25)], options={"g": "8"})
        for first in (0, 25, 50)
    ]
    path = folder / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def gap(folder: Path) -> Path:
    source = write_video(folder / "whole.mp4", N_FRAMES, options={"g": "10", "bf": "0"})

    def edit(number: int, packet: Any) -> None:
        ticks = round((number >= 25) * 1000 / packet.time_base)
        packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks

    return remux(source, folder / "gap.ts", edit)


def cut(folder: Path) -> Path:
    source = write_video(folder / "whole.mp4", N_FRAMES + 7, options={"g": "25", "bf": "3"})

    def edit(_: int, packet: Any) -> None:
        ticks = round(7 / 25 / packet.time_base)
        packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks

    return remux(source, folder / "cut.mp4", edit)


def edited(folder: Path) -> Path:
    path = write_video(folder / "edited.mp4", 100, options={"g": "10", "bf": "0"})
    set_edits(path, [(5, 30), (55, 45)])
    return path


def damaged(folder: Path) -> Path:
    path = write_video(folder / "damaged.ts", N_FRAMES, options={"g": "10", "bf": "2"})
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
    path.write_bytes(content)
    return path


def interlaced(folder: Path) -> Path:
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1:keyint=10"}
    return write_video(folder / "interlaced.ts", N_FRAMES, options=options)


KINDS: dict[str, Callable[[Path], Path]] = {
    "closed GOP": plain("closed.mp4", "libx264", g="12", bf="2"),
    "one GOP": plain("one.mp4", "libx264", g="1000"),
    "open GOP": plain("open.mkv", "libx264", **{"x264-params": "open-gop=1:keyint=12:bframes=3"}),
    "open GOP in TS": plain("open.ts", "libx264", **{"x264-params": "open-gop=1:keyint=12:bframes=3"}),
    "HEVC": plain("hevc.mp4", "libx265", **X265),
    "HEVC in TS": plain("hevc.ts", "libx265", **X265),
    "intra refresh": plain("refresh.mp4", "libx264", **{"x264-params": "intra-refresh=1:keyint=12"}),
    "VP9": plain("vp9.webm", "libvpx-vp9", g="12"),
    "AV1": plain("av1.mp4", "libsvtav1", preset="12", g="12"),
    "MPEG-2 PS": plain("mpeg2.mpg", "mpeg2video", g="12", bf="2"),
    "MPEG-2 TS": plain("mpeg2.ts", "mpeg2video", g="12", bf="2"),
    "MPEG-4 in AVI": plain("mpeg4.avi", "mpeg4", g="12"),
    "H.264 with B frames in AVI": plain("h264.avi", "libx264", g="12", bf="3"),
    "MJPEG": plain("mjpeg.avi", "mjpeg"),
    "FLV": plain("h264.flv", "libx264", g="12"),
    "raw H.264": plain("raw.h264", "libx264", g="12", bf="3"),
    "raw HEVC": plain("raw.hevc", "libx265", **X265),
    "WMV": plain("wmv2.wmv", "wmv2", g="12"),
    "GIF": plain("moving.gif", "gif"),
    "varying rate": varying,
    "joined": joined,
    "gap": gap,
    "cut without encoding": cut,
    "edit list": edited,
    "damaged": damaged,
    "interlaced": interlaced,
}


def assert_part(part: Reading, whole: Reading, section: tuple[float, float], start: int = 0, every: int = 1) -> None:
    """Assert that a part has what the whole has in a section, from a frame on, every so many frames."""
    begin_s, end_s = section
    right = [
        frame
        for frame in whole.frames
        if begin_s <= frame.time_s < end_s and frame.index >= start and (frame.index - start) % every == 0
    ]
    assert [(frame.index, frame.time_s) for frame in part.frames] == [(frame.index, frame.time_s) for frame in right]
    for frame, right_frame in zip(part.frames, right, strict=True):
        assert (frame.image == right_frame.image).all(), f"frame {frame.index} differs"


@pytest.mark.parametrize("kind", KINDS)
def test_a_section_is_as_in_the_whole(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path)
    whole = read(path)
    assert len(whole.frames) >= (60 if kind == "damaged" else N_FRAMES)
    for section in SECTIONS:
        assert_part(read(path, section=section), whole, section)
    for start, every in ((7, 3), (30, 1), (74, 8), (500, 1)):
        assert_part(read(path, start=start, every=every), whole, (0, math.inf), start, every)
        assert_part(read(path, section=(0.9, 2.1), start=start, every=every), whole, (0.9, 2.1), start, every)


@pytest.mark.parametrize("name", ["av1.mp4", "edit.mp4", "mjpeg_count.avi", "raw.h264", "sar.mp4", "twice.ts"])
def test_sections_of_the_cases(name: str) -> None:
    path = shared("cases", "video", name)
    whole = read(path)
    for section in ((0.3, 0.71), (0.9, math.inf), (1.9, 2.2)):
        assert_part(read(path, section=section), whole, section)
