"""Presentation times: missing, varying, starting again, leaving gaps, hidden by edit lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.shared import shared
from tests.videos.making import remux, write_video
from tests.videos.marks import draw
from tests.videos.patching import set_edits
from tests.videos.reading import Reading, assert_complete, read

X265 = {"x265-params": "log-level=none"}
CLOCK = 1 << 33
"""Ticks of 1/90,000 s after which the clock of a transport stream starts again."""


def assert_increasing(reading: Reading) -> None:
    """Assert that every frame is later than the one before."""
    assert np.all(np.diff(reading.times_s) > 0)
    assert [frame.index for frame in reading.frames] == list(range(len(reading.frames)))


def assert_said_once(reading: Reading, *words: str) -> None:
    """Assert that nothing failed, and that one notice holds the words."""
    assert not reading.complaint
    (notice,) = reading.notices
    assert all(word in notice for word in words), notice


def test_case_raw_h264() -> None:
    reading = read(shared("cases", "video", "raw.h264"))
    np.testing.assert_allclose(reading.times_s, np.arange(50) / 25, atol=1.5e-3)
    assert_said_once(reading, "timestamps")


@pytest.mark.parametrize("rate", [25, 10, 30])
@pytest.mark.parametrize(
    ("name", "codec", "muxer", "options"),
    [
        ("raw.h264", "libx264", "h264", {"bf": "3"}),
        ("raw.264", "libx264", "h264", {"bf": "0"}),
        ("raw.hevc", "libx265", "hevc", X265),
        ("raw.h265", "libx265", "hevc", {"x265-params": "log-level=none:bframes=0"}),
        ("raw.m2v", "mpeg2video", "mpeg2video", {"bf": "2"}),
    ],
)
def test_raw_streams_run_at_their_nominal_rate(
    name: str, codec: str, muxer: str, options: dict[str, str], rate: int, tmp_path: Path
) -> None:
    rate = max(rate, 24) if codec == "mpeg2video" else rate  # which has no slower one
    reading = read(write_video(tmp_path / name, 20, codec=codec, muxer=muxer, options=options, rate=rate))
    assert_complete(reading, 20, rate=rate)
    assert reading.video.fps == pytest.approx(rate)


def test_a_raw_stream_without_a_rate_is_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "raw.m4v", 20, codec="mpeg4", muxer="m4v")
    assert_complete(read(path), 20)
    path = write_video(tmp_path / "raw.mjpeg", 20, codec="mjpeg", pix_fmt="yuvj420p", muxer="mjpeg")
    assert_complete(read(path), 20)


VARYING_MS = [*range(0, 1000, 40), *range(1000, 3000, 200), 3001, 3003, 3500, 10_000, 10_033]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("vfr.mp4", "libx264"),
        ("vfr.mkv", "libx264"),
        ("vfr.webm", "libvpx-vp9"),
        ("vfr.ts", "libx264"),
        ("vfr.mov", "mpeg4"),
    ],
)
def test_a_variable_frame_rate_is_kept(name: str, codec: str, tmp_path: Path) -> None:
    reading = read(write_video(tmp_path / name, len(VARYING_MS), codec=codec, times_ms=VARYING_MS))
    assert reading.numbers == list(range(len(VARYING_MS)))
    np.testing.assert_allclose(reading.times_s, np.array(VARYING_MS) / 1000, atol=2e-3)
    assert not reading.complaint


def test_a_slow_camera_has_one_frame_in_ten_seconds(tmp_path: Path) -> None:
    times_ms = [10_000 * number for number in range(12)]
    reading = read(write_video(tmp_path / "slow.mp4", 12, times_ms=times_ms))
    assert reading.numbers == list(range(12))
    np.testing.assert_allclose(reading.times_s, np.array(times_ms) / 1000, atol=2e-3)
    assert not reading.complaint


def test_case_joined() -> None:
    reading = read(shared("cases", "video", "twice.ts"))
    assert len(reading.frames) == 100
    assert_increasing(reading)
    assert reading.times_s[0] == 0
    assert 3.8 <= reading.times_s[-1] <= 4.2
    assert_said_once(reading, "1.96 s")


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        ("ts", "libx264", {"bf": "3"}),
        ("ts", "libx265", X265),
        ("ts", "mpeg2video", {"bf": "2"}),
        ("mpg", "mpeg2video", {"bf": "2"}),
        ("mpg", "mpeg1video", {}),
    ],
)
@pytest.mark.parametrize("parts", [2, 3])
def test_recordings_that_were_joined_are_one_timeline(
    suffix: str, codec: str, options: dict[str, str], parts: int, tmp_path: Path
) -> None:
    joined = tmp_path / f"joined.{suffix}"
    with joined.open("wb") as file:
        for part in range(parts):
            pictures = [draw(number) for number in range(30 * part, 30 * (part + 1))]
            path = tmp_path / f"{part}.{suffix}"
            file.write(write_video(path, pictures, codec=codec, options=options).read_bytes())
    reading = read(joined)
    assert reading.numbers == list(range(30 * parts))
    assert_increasing(reading)
    assert reading.times_s[0] == 0
    steps = np.diff(reading.times_s)
    joints = [30 * part - 1 for part in range(1, parts)]
    np.testing.assert_allclose(np.delete(steps, joints), 0.04, atol=2e-3)
    np.testing.assert_allclose(steps[joints], 0.04, atol=0.09)  # the joint may be a little longer
    assert_said_once(reading, *(f"{reading.times_s[30 * part - 1]:.2f} s" for part in range(1, parts)))


def shifted(source: Path, target: Path, shifts: Sequence[tuple[int, float]]) -> Path:
    """Copy a file with its times later by some seconds from given packets on."""

    def edit(number: int, packet: Any) -> None:
        shift_s = sum(seconds for first, seconds in shifts if number >= first)
        ticks = round(shift_s / packet.time_base)
        packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks

    return remux(source, target, edit)


@pytest.mark.parametrize("name", ["gap.ts", "gap.mkv", "gap.mp4", "gap.flv"])
@pytest.mark.parametrize("seconds", [5.0, 3600.0])
def test_a_gap_in_the_times_loses_no_frame(name: str, seconds: float, tmp_path: Path) -> None:
    source = write_video(tmp_path / "whole.mp4", 50, options={"g": "25", "bf": "0"})
    reading = read(shifted(source, tmp_path / name, [(25, seconds)]))
    assert reading.numbers == list(range(50))
    assert_increasing(reading)
    inside = np.diff(reading.times_s)[[number for number in range(49) if number != 24]]
    np.testing.assert_allclose(inside, 0.04, atol=2e-3)
    is_closed = name.endswith(".ts") and seconds >= 10
    assert reading.times_s[25] - reading.times_s[24] == pytest.approx(0.04 + (0 if is_closed else seconds), abs=0.05)
    assert_said_once(reading, "0.96 s")


@pytest.mark.parametrize("back_s", [0.5, 1.0, 20.0])
def test_times_that_jump_back_go_on(back_s: float, tmp_path: Path) -> None:
    parts = [
        write_video(tmp_path / "1.ts", [draw(number) for number in range(25)], options={"bf": "0"}),
        write_video(tmp_path / "2.ts", [draw(number) for number in range(25, 50)], options={"bf": "0"}),
    ]
    late = shifted(parts[0], tmp_path / "late.ts", [(0, 1000.0)])
    again = shifted(parts[1], tmp_path / "again.ts", [(0, 1001.0 - back_s)])
    joined = tmp_path / "joined.ts"
    joined.write_bytes(late.read_bytes() + again.read_bytes())
    reading = read(joined)
    assert reading.numbers == list(range(50))
    assert_increasing(reading)
    assert reading.times_s[-1] < 4
    assert_said_once(reading, "0.96 s")


def test_the_clock_of_a_transport_stream_may_wrap_round(tmp_path: Path) -> None:
    source = write_video(tmp_path / "whole.ts", 50, options={"bf": "2"})
    wrapped = shifted(source, tmp_path / "wrapped.ts", [(0, (CLOCK - 90_000) / 90_000)])
    assert_complete(read(wrapped), 50)


@pytest.mark.parametrize("name", ["late.ts", "late.mkv", "late.mp4", "late.flv"])
def test_times_start_at_zero(name: str, tmp_path: Path) -> None:
    source = write_video(tmp_path / "whole.mp4", 25, options={"bf": "2"})
    assert_complete(read(shifted(source, tmp_path / name, [(0, 100.0)])), 25)


def test_two_frames_with_the_same_time_are_both_read(tmp_path: Path) -> None:
    source = write_video(tmp_path / "whole.ts", 25, options={"bf": "0"})

    def edit(number: int, packet: Any) -> None:
        packet.pts += round((0.04 if number == 12 else 0.08) / packet.time_base)  # else dts would be equal too

    reading = read(remux(source, tmp_path / "same.ts", edit))
    assert reading.numbers == list(range(25))
    assert_increasing(reading)


def test_case_edit_list() -> None:
    reading = read(shared("cases", "video", "edit.mp4"))
    assert len(reading.frames) == 75
    np.testing.assert_allclose(reading.times_s, np.arange(75) / 25, atol=1.5e-3)
    assert not reading.complaint


@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "3"}, {"x264-params": "open-gop=1:bframes=3"}])
@pytest.mark.parametrize("first", [3, 12, 24])
def test_a_cut_without_encoding_hides_the_frames_before_it(options: dict[str, str], first: int, tmp_path: Path) -> None:
    source = write_video(tmp_path / "whole.mp4", 50, options={"g": "25", **options})

    def edit(_: int, packet: Any) -> None:
        ticks = round(first / 25 / packet.time_base)
        packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks

    reading = read(remux(source, tmp_path / "cut.mp4", edit))
    assert_complete(reading, 50 - first, first=first)


@pytest.mark.parametrize("bframes", ["0", "2"])
@pytest.mark.parametrize(
    ("edits", "numbers"),
    [
        ([(0, 30)], range(30)),
        ([(10, 20)], range(10, 30)),
        ([(25, 25)], range(25, 50)),
        ([(0, 10), (30, 10)], [*range(10), *range(30, 40)]),
    ],
)
def test_edit_lists_show_parts_of_the_material(
    edits: list[tuple[int, int]], numbers: Sequence[int], bframes: str, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "edited.mp4", 50, options={"g": "10", "bf": bframes})
    delay = 2 if bframes != "0" else 0  # frames by which the times of the material are later
    set_edits(path, [(first + delay, count) for first, count in edits])
    reading = read(path)
    assert reading.numbers == list(numbers)
    np.testing.assert_allclose(reading.times_s, np.arange(len(numbers)) / 25, atol=1.5e-3)
    assert not reading.complaint


def test_an_edit_list_may_delay_the_first_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "delayed.mp4", 25, options={"bf": "0"})
    set_edits(path, [(-1, 10), (0, 25)])
    reading = read(path)
    assert reading.numbers == list(range(25))
    np.testing.assert_allclose(np.diff(reading.times_s), 0.04, atol=1.5e-3)
    assert not reading.complaint


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "libx264"), ("webm", "libvpx-vp9")])
def test_two_matroska_files_in_one_are_one_timeline(suffix: str, codec: str, tmp_path: Path) -> None:
    """FFmpeg reads two such files in a row, not more."""
    pictures = [draw(number) for number in range(60)]
    parts = [
        write_video(tmp_path / f"{first}.{suffix}", pictures[first : first + 30], codec=codec) for first in (0, 30)
    ]
    joined = tmp_path / f"joined.{suffix}"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    reading = read(joined)
    assert reading.numbers == list(range(60))
    assert_increasing(reading)
    assert_said_once(reading, "1.16 s")
