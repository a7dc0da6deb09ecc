"""Rotation, mirroring, non-square pixels, interlaced material, and sizes that change: shown as players show it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support.shared import shared
from tests.videos.making import write_video
from tests.videos.marks import SIZE, TURNS, Picture, colour_error, draw, orientation, read_numbers
from tests.videos.patching import set_matrix
from tests.videos.reading import Reading, assert_complete, assert_sizes, read


def turned_back(reading: Reading, turn: str) -> list[Picture]:
    """Return the images as they were before the turn."""
    inverse = {"turned right": "turned left", "turned left": "turned right"}.get(turn, turn)
    return [TURNS[inverse](image) for image in reading.images]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx264"), (".mov", "mjpeg")])
def test_the_display_matrix_of_a_track_is_applied(suffix: str, codec: str, turn: str, tmp_path: Path) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_video(tmp_path / f"turned{suffix}", 4, codec=codec, pix_fmt=pix_fmt)
    set_matrix(path, turn)
    reading = read(path)
    assert {orientation(image) for image in reading.images} == {turn}
    assert read_numbers(turned_back(reading, turn)) == [0, 1, 2, 3]
    assert max(colour_error(image, turn=turn) for image in reading.images) < 12
    is_upright = not {"left", "right"} & set(turn.split())
    assert (reading.video.width, reading.video.height) == (SIZE if is_upright else SIZE[::-1])
    assert_sizes(reading)


@pytest.mark.parametrize(
    ("settings", "turn"),
    [
        ("rotate=90", "turned left"),  # the SEI message counts anticlockwise
        ("rotate=180", "upside down"),
        ("rotate=270", "turned right"),
        ("flip=horizontal", "mirrored"),
        ("flip=vertical", "flipped"),
    ],
)
@pytest.mark.parametrize("name", ["sei.ts", "sei.avi"])
def test_the_display_orientation_in_the_stream_is_applied(name: str, settings: str, turn: str, tmp_path: Path) -> None:
    source = write_video(tmp_path / "upright.h264", 4, muxer="h264", options={"bf": "0"})
    with av.open(str(source)) as container, av.open(str(tmp_path / name), "w") as output:
        stream = container.streams.video[0]
        copy = output.add_stream_from_template(stream)
        rewrite = av.BitStreamFilterContext(f"h264_metadata=display_orientation=insert:{settings}", stream)
        packets = [changed for packet in container.demux(stream) if packet.size for changed in rewrite.filter(packet)]
        for number, packet in enumerate(packets):
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 25), copy
            output.mux(packet)
    reading = read(tmp_path / name)
    assert {orientation(image) for image in reading.images} == {turn}
    assert read_numbers(turned_back(reading, turn)) == [0, 1, 2, 3]
    assert_sizes(reading)


def set_aspect(aspect: Fraction) -> Any:
    """Return a change of a stream that declares the aspect ratio of its pixels."""

    def change(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    return change


def test_case_non_square_pixels() -> None:
    reading = read(shared("cases", "video", "sar.mp4"))
    assert (reading.video.width, reading.video.height) == (720, 576)
    assert len(reading.frames) == 25
    assert_sizes(reading)
    assert not reading.complaint


@pytest.mark.parametrize("aspect", [Fraction(2, 1), Fraction(1, 2), Fraction(16, 15), Fraction(64, 45), Fraction(4, 3)])
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("sar.mp4", "libx264"),
        ("sar.mkv", "libx264"),
        ("sar.mov", "mjpeg"),
        ("sar.avi", "mpeg4"),
    ],
)
def test_non_square_pixels_are_shown_square(name: str, codec: str, aspect: Fraction, tmp_path: Path) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    reading = read(write_video(tmp_path / name, 5, codec=codec, pix_fmt=pix_fmt, adjust=set_aspect(aspect)))
    assert_complete(reading, 5)
    right = SIZE[0] / SIZE[1] * aspect
    assert reading.video.width / reading.video.height == pytest.approx(float(right), rel=0.02)
    assert max(map(colour_error, reading.images)) < 24


def test_the_shape_of_the_picture_that_mpeg_2_declares_is_used(tmp_path: Path) -> None:
    aspect = Fraction(16, 9) * SIZE[1] / SIZE[0]
    reading = read(write_video(tmp_path / "wide.mpg", 5, codec="mpeg2video", adjust=set_aspect(aspect)))
    assert_complete(reading, 5)
    assert reading.video.width / reading.video.height == pytest.approx(16 / 9, rel=0.02)


def test_non_square_pixels_of_a_turned_video_are_shown_square(tmp_path: Path) -> None:
    path = write_video(tmp_path / "both.mp4", 5, adjust=set_aspect(Fraction(2, 1)))
    set_matrix(path, "turned right")
    reading = read(path)
    assert {orientation(image) for image in reading.images} == {"turned right"}
    assert reading.video.height / reading.video.width == pytest.approx(2 * SIZE[0] / SIZE[1], rel=0.02)
    assert_sizes(reading)


def test_the_largest_side_is_that_of_the_shown_picture(tmp_path: Path) -> None:
    path = write_video(tmp_path / "wide.mp4", 5, adjust=set_aspect(Fraction(2, 1)))
    set_matrix(path, "turned right")
    reading = read(path, max_side=128)
    assert (reading.video.width, reading.video.height) == (48, 128)
    assert {orientation(image) for image in reading.images} == {"turned right"}
    assert_sizes(reading)


def interlace(first: Picture, second: Picture) -> Picture:
    """Return a picture whose even lines are of one moment and whose odd lines are of the next."""
    picture = first.copy()
    picture[1::2] = second[1::2]
    return picture


def moving_bar(step: int) -> Picture:
    """Return a white bar on grey, 16 pixels further to the right with each step."""
    picture = np.full((96, 256, 3), 90, np.uint8)
    picture[:, 16 * step : 16 * step + 24] = 230
    return picture


def combing(image: Picture) -> float:
    """Return how much neighbouring lines differ beyond lines two apart, in grey levels."""
    grey = image.mean(axis=2)
    return float(np.abs(np.diff(grey, axis=0)).mean() - np.abs(grey[2:] - grey[:-2]).mean())


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("interlaced.ts", "libx264", {"flags": "+ildct+ilme", "x264-params": "tff=1"}),
        ("interlaced.mp4", "libx264", {"flags": "+ildct+ilme", "x264-params": "tff=1"}),
        ("interlaced.mpg", "mpeg2video", {"flags": "+ildct+ilme", "b": "4M"}),
        ("interlaced.mov", "prores_ks", {"flags": "+ildct"}),
    ],
)
def test_interlaced_frames_are_deinterlaced(name: str, codec: str, options: dict[str, str], tmp_path: Path) -> None:
    pictures = [interlace(moving_bar(2 * number), moving_bar(2 * number + 1)) for number in range(7)]
    pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    reading = read(write_video(tmp_path / name, pictures, codec=codec, pix_fmt=pix_fmt, options=options))
    assert len(reading.frames) == 7
    np.testing.assert_allclose(reading.times_s, np.arange(7) / 25, atol=1.5e-3)
    assert combing(pictures[3]) > 5
    assert max(map(combing, reading.images)) < 2
    for number, image in enumerate(reading.images):
        brightest = image[:, :, 0].mean(axis=0) > 190
        assert np.flatnonzero(brightest).mean() == pytest.approx(32 * number + 12, abs=17), "the bar of this moment"


def test_progressive_frames_are_not_deinterlaced(tmp_path: Path) -> None:
    rows = np.zeros((96, 128, 3), np.uint8)
    rows[::2] = 200
    reading = read(write_video(tmp_path / "lines.mkv", [rows] * 4, codec="ffv1", pix_fmt="yuv444p"))
    assert all(abs(image.astype(int) - rows).max() <= 4 for image in reading.images)


@pytest.mark.parametrize(
    ("suffix", "codec", "muxer"),
    [("ts", "libx264", "mpegts"), ("ts", "mpeg2video", "mpegts"), ("h264", "libx264", "h264")],
)
@pytest.mark.parametrize("second", [(256, 192), (64, 48), (96, 128)])
def test_a_change_of_size_in_mid_stream_is_read_on(
    suffix: str, codec: str, muxer: str, second: tuple[int, int], tmp_path: Path
) -> None:
    first_part = write_video(tmp_path / f"1.{suffix}", 10, codec=codec, muxer=muxer)
    pictures = [draw(number, second) for number in range(10, 20)]
    second_part = write_video(tmp_path / f"2.{suffix}", pictures, codec=codec, muxer=muxer)
    joined = tmp_path / f"joined.{suffix}"
    joined.write_bytes(first_part.read_bytes() + second_part.read_bytes())
    reading = read(joined)
    assert_sizes(reading)
    assert np.all(np.diff(reading.times_s) > 0)
    assert len(reading.frames) == 20 or (codec, len(reading.frames)) == ("mpeg2video", 19)  # FFmpeg's decoder drops one
    if second != (96, 128):  # else the picture has another shape, and may be stretched or get borders
        assert set(reading.numbers) >= {*range(20)} - {9}


def test_frames_of_different_sizes_in_one_stream_have_one_size(tmp_path: Path) -> None:
    small = write_video(tmp_path / "small.avi", 6, codec="mjpeg", pix_fmt="yuvj420p")
    large = write_video(tmp_path / "large.avi", 6, codec="mjpeg", pix_fmt="yuvj420p", size=(256, 192))
    with av.open(str(large)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.dts is not None]

    mixed = tmp_path / "mixed.avi"
    with av.open(str(small)) as container, av.open(str(mixed), "w") as output:
        stream = container.streams.video[0]
        copy = output.add_stream_from_template(stream)
        for number, packet in enumerate(p for p in container.demux(stream) if p.dts is not None):
            changed = av.Packet(packets[number]) if number >= 3 else packet
            changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
            changed.stream, changed.is_keyframe = copy, True
            output.mux(changed)
    assert_complete(read(mixed), 6)
