"""What else a container holds: other streams, several video streams, covers, counts that are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition

from tests.support.shared import shared
from tests.videos.making import MILLISECOND, to_frame, write_video
from tests.videos.marks import SIZE, draw
from tests.videos.patching import set_avi_counts
from tests.videos.reading import assert_complete, read


def with_sound(path: Path, times_s: Sequence[float], *, packets_per_s: int, sound_first: bool = False) -> Path:
    """Write numbered frames at given times beside silence from 0 s to the last frame, in small packets."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=1)
        video.width, video.height, video.pix_fmt, video.options = *SIZE, "yuv420p", {"g": "1", "bf": "0"}
        video.codec_context.time_base = MILLISECOND
        sound: Any = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        container.start_encoding()
        frames = []
        for number, time_s in enumerate(times_s):
            frame = to_frame(draw(number), "yuv420p")
            frame.pts, frame.time_base = round(time_s * 1000), MILLISECOND
            frames += video.encode(frame)
        frames += video.encode()
        n_samples = 48000 // packets_per_s
        for number in range(round(times_s[-1] * packets_per_s)):
            while frames and not sound_first and frames[0].pts * packets_per_s <= number * 1000:
                container.mux(frames.pop(0))
            packet = av.Packet(bytes(2 * n_samples))
            packet.stream, packet.time_base = sound, Fraction(1, 48000)
            packet.pts = packet.dts = number * n_samples
            packet.duration = n_samples
            container.mux(packet)
        container.mux(frames)
    return path


def test_case_thousands_of_packets_between_two_frames(tmp_path: Path) -> None:
    times_s = [2.0 * number for number in range(30)]
    reading = read(with_sound(tmp_path / "manyaudio.mkv", times_s, packets_per_s=3000))
    assert reading.numbers == list(range(30))
    assert reading.times_s == pytest.approx(times_s, abs=2e-3)
    assert not reading.complaint


@pytest.mark.parametrize("name", ["sound.mov", "sound.avi", "sound.nut"])
def test_packets_of_other_streams_hide_no_frame(name: str, tmp_path: Path) -> None:
    reading = read(with_sound(tmp_path / name, [0, 9, 18, 27], packets_per_s=1500))
    assert reading.numbers == [0, 1, 2, 3]
    assert reading.times_s == pytest.approx([0, 9, 18, 27], abs=2e-3)
    assert not reading.complaint


@pytest.mark.parametrize("name", ["behind.mkv", "behind.mov"])
def test_frames_may_lie_behind_all_of_the_sound(name: str, tmp_path: Path) -> None:
    reading = read(with_sound(tmp_path / name, [0, 20, 40], packets_per_s=500, sound_first=True))
    assert reading.numbers == [0, 1, 2]
    assert reading.times_s == pytest.approx([0, 20, 40], abs=2e-3)
    assert not reading.complaint


@pytest.mark.parametrize("name", ["two.mkv", "two.mp4", "two.ts"])
@pytest.mark.parametrize("stream", [0, 1])
def test_one_of_several_video_streams_can_be_chosen(name: str, stream: int, tmp_path: Path) -> None:
    reading = read(several_streams(tmp_path / name), stream=stream)
    assert reading.numbers == list(range(100 * stream, 100 * stream + 10))
    assert not reading.complaint


def several_streams(path: Path) -> Path:
    """Write two video streams of 10 frames, numbered from 0 and from 100."""
    with av.open(str(path), "w") as container:
        streams: list[Any] = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(10):
            for first, stream in zip((0, 100), streams, strict=True):
                frame = av.VideoFrame.from_ndarray(draw(first + number), format="rgb24")
                frame.pts = number
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode())
    return path


def test_a_cover_is_not_the_video(tmp_path: Path) -> None:
    path = tmp_path / "cover.mp4"
    with av.open(str(path), "w") as container:
        cover: Any = container.add_stream("png", rate=25)
        video: Any = container.add_stream("libx264", rate=25)
        cover.width, cover.height, cover.pix_fmt = 600, 600, "rgb24"
        cover.disposition = Disposition.attached_pic
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        picture = av.VideoFrame.from_ndarray(draw(999, (600, 600)), format="rgb24")
        container.mux(cover.encode(picture))
        for number in range(10):
            container.mux(video.encode(to_frame(draw(number), "yuv420p")))
        container.mux(video.encode())
    assert_complete(read(path), 10)


def test_an_attached_image_is_not_the_video(tmp_path: Path) -> None:
    image = write_video(tmp_path / "cover.jpg", 1, codec="mjpeg", pix_fmt="yuvj420p", size=(600, 600), muxer="mjpeg")
    path = tmp_path / "cover.mkv"
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        container.add_attachment("cover.jpg", "image/jpeg", image.read_bytes())
        for number in range(10):
            container.mux(video.encode(to_frame(draw(number), "yuv420p")))
        container.mux(video.encode())
    assert_complete(read(path), 10)


@pytest.mark.parametrize("count", [9999, 1, 0, 2**31 - 1])
@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4", "rawvideo"])
def test_counts_in_headers_are_hints(codec: str, count: int, tmp_path: Path) -> None:
    pix_fmt = {"mjpeg": "yuvj420p", "rawvideo": "bgr24"}.get(codec, "yuv420p")
    path = write_video(tmp_path / "counted.avi", 25, codec=codec, pix_fmt=pix_fmt)
    set_avi_counts(path, count)
    assert_complete(read(path), 25)


def test_case_count_in_the_header() -> None:
    reading = read(shared("cases", "video", "mjpeg_count.avi"))
    assert len(reading.frames) == 25
    assert not reading.complaint
