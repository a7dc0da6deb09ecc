"""Video files as they come: sound, odd, broken."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorTrc

from anyanomaly.builtin.read_video import VideoReader
from anyanomaly.builtin.reader_options import VideoReaderOptions
from anyanomaly.builtin.video_hdr import HDR_TRANSFERS, tone_map
from anyanomaly.errors import VideoError
from anyanomaly.testing.videos import synthetic_video
from anyanomaly.types import Frame
from tests.support.shared import shared


def write(
    path: Path,
    times_ms: list[int],
    *,
    size: tuple[int, int] = (128, 96),
    faststart: bool = False,
    codec: str = "mpeg4",
    codec_options: Mapping[str, str] | None = None,
) -> Path:
    """Write frames at the given times: upper half red, lower half blue."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[: size[1] // 2, :, 0] = picture[size[1] // 2 :, :, 2] = 230
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream(codec, rate=25, options=dict(codec_options or {}))
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


@pytest.mark.parametrize(
    "kind", ["missing", "empty", "text", "folder", "no index", "pipe", "zero byte", "playlist", "list of files"]
)
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
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero byte":
        path = tmp_path / "a\0b.mp4"
    elif kind in ("playlist", "list of files"):  # FFmpeg would open the other file
        synthetic_video(tmp_path / "other.mp4")
        playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mp4\n#EXT-X-ENDLIST\n"
        path.write_text(playlist if kind == "playlist" else "ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(VideoError) as caught:
        VideoReader(VideoReaderOptions()).probe(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["ein 100% größerer [film] %d.mp4", "-i.mp4", "concat:a.mp4|b.mp4", "http:x.mp4", "b\udcff.mp4"]
)
def test_odd_names_are_names_of_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    synthetic_video("clip.mp4")
    try:
        os.rename("clip.mp4", name)
    except OSError:
        pytest.skip("this file system does not allow the name")
    assert len(read(Path(name))) == 96


def test_only_sound_or_only_a_codec_without_a_decoder_is_named(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 48000, 0
        container.mux([*stream.encode(frame), *stream.encode()])
    unknown = write(tmp_path / "unknown.mp4", [0, 40], codec="libx264")
    unknown.write_bytes(unknown.read_bytes().replace(b"avc1", b"abcd"))
    for path, words in ((tmp_path / "sound.mp4", "holds no video stream"), (unknown, r"cannot decode \(abcd\)")):
        with pytest.raises(VideoError, match=words):
            VideoReader(VideoReaderOptions()).probe(str(path))


def test_a_frame_too_large_for_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.y4m"
    path.write_bytes(b"YUV4MPEG2 W20000 H20000 F25:1 C420\nFRAME\n" + bytes(1000))
    with pytest.raises(VideoError, match=path.name):
        VideoReader(VideoReaderOptions()).probe(str(path))


def test_a_section_is_bit_equal_to_reading_through(tmp_path: Path) -> None:
    options = {"g": "6", "bf": "2", "x264-params": "open-gop=1"}
    path = write(tmp_path / "open.mkv", list(range(0, 2400, 40)), codec="libx264", codec_options=options)
    whole = read(path)
    reader = VideoReader(VideoReaderOptions(max_side=0))
    video = reader.probe(str(path))
    for begin, end in ((0, 7), (13, 14), (31, 44), (50, 60)):
        section = (whole[begin].time_s, whole[end - 1].time_s + 0.001)
        part = list(reader.frames(replace(video, section=section)))
        assert [(frame.index, frame.time_s) for frame in part] == [
            (frame.index, frame.time_s) for frame in whole[begin:end]
        ]
        assert all((frame.image == right.image).all() for frame, right in zip(part, whole[begin:end], strict=True))
        assert part[-1].end == end


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "mpeg4"])
def test_threads_change_nothing(codec: str, tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mkv", list(range(0, 1000, 40)), codec=codec)
    reading = []
    for threads in (1, 3):
        reader = VideoReader(VideoReaderOptions(threads=threads))
        reading.append([(frame.time_s, frame.image.tobytes()) for frame in reader.frames(reader.probe(str(path)))])
    assert len(reading[0]) == 25
    assert reading[0] == reading[1]


def test_a_video_that_is_left_early_leaves_no_thread_and_no_file_open(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", list(range(0, 2000, 40)))
    reader = VideoReader(VideoReaderOptions())
    video = reader.probe(str(path))
    for _ in range(3):
        frames = reader.frames(video)
        next(frames)
        frames.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("anyanomaly-pictures")]
    path.unlink()
    if Path("/proc/self/fd").exists():
        assert not [link for link in Path("/proc/self/fd").iterdir() if str(path) in os.path.realpath(link)]


def test_of_several_streams_the_largest_is_read_and_another_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream, width in zip(streams, (64, 128), strict=True):
            stream.width, stream.height, stream.pix_fmt = width, 48, "yuv420p"
        for stream in streams:
            frame = av.VideoFrame(stream.width, 48, "yuv420p")
            container.mux([*stream.encode(frame), *stream.encode()])
    reader = VideoReader(VideoReaderOptions())
    video = reader.probe(str(path))
    assert video.width == 128
    assert "has 2 video streams; stream 1 (128x48) is used" in reader.notices(video)[0]
    named = VideoReader(VideoReaderOptions(stream=0))
    video = named.probe(str(path))
    assert (video.width, named.notices(video)) == (64, ())
    with pytest.raises(VideoError, match="no stream 2"):
        VideoReader(VideoReaderOptions(stream=2)).probe(str(path))


def test_hardware_that_is_missing_is_an_error_when_named_and_a_notice_when_not(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", [0, 40])
    name = "dxva2" if os.name != "nt" else "vaapi"  # of another system
    with pytest.raises(VideoError, match=rf"--reader.hardware {name} on this machine"):
        VideoReader(VideoReaderOptions(hardware=name)).probe(str(path))
    reader = VideoReader(VideoReaderOptions(hardware="auto"))
    video = reader.probe(str(write(tmp_path / "lossless.mkv", [0, 40], codec="ffv1")))  # no hardware decodes it
    assert len(list(reader.frames(video))) == 2
    (notice,) = reader.notices(video)
    assert "is decoded on the CPU" in notice


@pytest.mark.parametrize("transfer", sorted(HDR_TRANSFERS))
def test_high_dynamic_range_keeps_greys_and_compresses_highlights(transfer: int) -> None:
    codes = np.linspace(0, 65535, 256).astype(np.uint16)
    grey = tone_map(np.repeat(codes[None, :, None], 3, axis=2), transfer)[0]
    assert (np.ptp(grey.astype(int), axis=1) <= 1).all()  # grey stays grey
    levels = grey[:, 1].astype(int)
    assert (np.diff(levels) >= 0).all()
    assert levels[0] == 0
    assert levels[-1] >= 250
    paper = {ColorTrc.SMPTE2084: 148, ColorTrc.ARIB_STD_B67: 191}[ColorTrc(transfer)]  # 203 cd/m2, BT.2408
    assert 215 <= levels[paper] <= 235


def test_every_frame_of_real_videos_is_read() -> None:
    for name, n_frames in (("car-detection", 377), ("bottle-detection", None)):
        path = shared("data", "videos", f"{name}.mp4")
        video = VideoReader(VideoReaderOptions()).probe(str(path))
        frames = read(path, every=10)
        assert video.n_frames == (n_frames or video.n_frames)
        assert frames[-1].index >= (video.n_frames or 0) - 12


@pytest.mark.parametrize("matrix", [3, 8, 10, 14])
def test_a_matrix_that_ffmpeg_cannot_convert_is_read_as_the_nearest_it_can(matrix: int, tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = matrix
        picture = np.full((48, 64, 3), (230, 40, 40), np.uint8)
        container.mux([*stream.encode(av.VideoFrame.from_ndarray(picture)), *stream.encode()])
    (frame,) = read(path)
    assert frame.image[24, 32].argmax() == 0
    assert frame.image[24, 32, 0] > 200
