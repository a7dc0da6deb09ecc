"""Video files as they come: sound, odd, broken."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from anyanomaly.builtin.reader_options import VideoReaderOptions
from anyanomaly.builtin.readers import VideoReader
from anyanomaly.errors import VideoError
from anyanomaly.testing.videos import synthetic_video
from anyanomaly.types import Frame
from tests.support.shared import shared


def write(path: Path, times_ms: list[int], *, size: tuple[int, int] = (128, 96), faststart: bool = False) -> Path:
    """Write frames at the given times: upper half red, lower half blue."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[: size[1] // 2, :, 0] = picture[size[1] // 2 :, :, 2] = 230
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time_ms in enumerate(times_ms):
            picture[0] = number % 256
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read(path: Path, *, every: int = 1, max_side: int = 0) -> list[Frame]:
    reader = VideoReader(VideoReaderOptions(max_side=max_side))
    return list(reader.frames(reader.probe(str(path)), every=every))


def test_times_are_the_containers_where_the_frame_rate_varies(tmp_path: Path) -> None:
    times_ms = [*range(0, 1000, 40), *range(1000, 4000, 200)]
    frames = read(write(tmp_path / "vfr.mp4", times_ms))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.array(times_ms) / 1000, atol=2e-3)


def test_rotation_is_applied_and_colours_are_rgb(tmp_path: Path) -> None:
    path = write(tmp_path / "rotated.mp4", list(range(0, 400, 40)))
    content = bytearray(path.read_bytes())
    matrix = content.find(b"tkhd") + 4 + 4 + 20 + 16  # of a version 0 track header
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 96 << 16, 0, 0x40000000)
    path.write_bytes(content)
    image = read(path)[5].image
    assert image.shape == (128, 96, 3)
    assert image[64, 80].argmax() == 0  # what was above is to the right: a quarter turn
    assert image[64, 16].argmax() == 2


def test_large_frames_are_scaled_down_and_small_ones_stay(tmp_path: Path) -> None:
    path = write(tmp_path / "wide.mp4", [0, 40], size=(640, 360))
    assert read(path, max_side=320)[0].image.shape == (180, 320, 3)
    assert read(path, max_side=720)[0].image.shape == (360, 640, 3)


def test_a_file_cut_in_the_middle_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    complete = write(tmp_path / "whole.mp4", list(range(0, 12000, 40)), faststart=True)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(complete.read_bytes()[: complete.stat().st_size * 6 // 10])
    reader = VideoReader(VideoReaderOptions())
    frames: list[Frame] = []
    with pytest.raises(VideoError, match=rf"{cut.name} breaks off after \d+ frames"):
        frames.extend(iter_into(frames, reader, cut))
    assert 100 < len(frames) < 250


def iter_into(frames: list[Frame], reader: VideoReader, path: Path) -> list[Frame]:
    for frame in reader.frames(reader.probe(str(path))):
        frames.append(frame)  # noqa: PERF402  # kept frame by frame: the end raises
    return []


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "folder", "no index"])
def test_what_is_no_video_is_one_sentence_that_names_it(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "ein 100% größerer [film].mp4"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("Dear diary,\n" * 100)
    elif kind == "folder":
        path.mkdir()
    elif kind == "no index":
        synthetic_video(path)
        path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(VideoError) as caught:
        VideoReader(VideoReaderOptions()).probe(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_odd_names_are_read(tmp_path: Path) -> None:
    path = tmp_path / "ein 100% größerer [film] %d.mp4"
    synthetic_video(path)
    assert len(read(path)) == 96


def test_every_frame_of_real_videos_is_read() -> None:
    for name, n_frames in (("car-detection", 377), ("bottle-detection", None)):
        path = shared("data", "videos", f"{name}.mp4")
        video = VideoReader(VideoReaderOptions()).probe(str(path))
        frames = read(path, every=10)
        assert video.n_frames == (n_frames or video.n_frames)
        assert frames[-1].index >= (video.n_frames or 0) - 12
