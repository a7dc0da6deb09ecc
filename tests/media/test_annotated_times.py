"""An annotated video has the frames, times, duration and audio of its source, whatever the source is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anyanomaly.testing.videos import synthetic_frames
from tests.media.annotating import (
    HEIGHT,
    WIDTH,
    annotate,
    audio_packets,
    ffprobe,
    frame_times,
    pictures_of,
    stream_of,
)
from tests.support.system import needs_program
from tests.videos.making import remux, write_video
from tests.videos.marks import orientation, read_numbers
from tests.videos.patching import set_matrix

VARIABLE_MS = [0, 40, 80, 81, 200, 210, 400, 433, 466, 500, 900, 1000, 1100, 1113]
"""A variable frame rate: steps from 1 to 400 ms."""


def run_ffmpeg(*arguments: str | Path) -> None:
    import subprocess

    subprocess.run([needs_program("ffmpeg"), "-v", "error", "-y", *map(str, arguments)], check=True)


def with_audio(folder: Path, name: str, *codec: str) -> Path:
    """Return a video of a second with a tone."""
    video = write_video(folder / "silent.mp4", 25)
    tone = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=1.2")
    run_ffmpeg("-i", video, *tone, "-c:v", "copy", *codec, folder / name)
    return folder / name


SOURCES: dict[str, dict[str, Any]] = {
    "constant.mp4": {"options": {"bf": "0"}},
    "b-frames.mp4": {"options": {"bf": "3", "g": "6"}},
    "variable.mp4": {"pictures": len(VARIABLE_MS), "times_ms": VARIABLE_MS},
    "variable.mkv": {"pictures": len(VARIABLE_MS), "times_ms": VARIABLE_MS, "options": {"bf": "2"}},
    "late.mp4": {"pictures": 10, "times_ms": [520 + 40 * number for number in range(10)]},
    "late.mkv": {"pictures": 10, "times_ms": [520 + 40 * number for number in range(10)]},
    "ntsc.mov": {"rate": Fraction(30000, 1001)},
    "old.avi": {"codec": "mpeg4"},
    "web.webm": {"codec": "libvpx-vp9", "pictures": 8},
}


@pytest.mark.parametrize(
    ("name", "suffix"), [*((name, ".mp4") for name in SOURCES), ("b-frames.mp4", ".mkv"), ("variable.mkv", ".mkv")]
)
def test_frames_times_and_duration_are_those_of_the_source(name: str, suffix: str, tmp_path: Path) -> None:
    settings = {"pictures": 12, **SOURCES[name]}
    source = write_video(tmp_path / name, **settings)
    target = annotate(source, tmp_path / f"annotated{suffix}")
    precision = 1e-6 if suffix == ".mp4" else 0.51e-3  # Matroska counts in milliseconds
    assert frame_times(target) == pytest.approx(frame_times(source), abs=precision)
    assert read_numbers(pictures_of(target, (HEIGHT, WIDTH))) == list(range(settings["pictures"]))
    if suffix == ".mp4" and source.suffix in (".mp4", ".mov", ".avi"):
        assert float(stream_of(target)["duration"]) == pytest.approx(float(stream_of(source)["duration"]), abs=1e-3)
        assert float(stream_of(target)["start_time"]) == pytest.approx(float(stream_of(source)["start_time"]), abs=1e-6)


def test_the_arbitrary_clock_of_a_transport_stream_begins_at_zero(tmp_path: Path) -> None:
    source = write_video(tmp_path / "camera.ts", 25)
    target = annotate(source, tmp_path / "annotated.mp4")
    times_s = np.array(frame_times(source))
    assert times_s[0] > 0
    assert frame_times(target) == pytest.approx(times_s - times_s[0], abs=1e-6)


def test_the_file_is_h264_with_its_index_in_front(tmp_path: Path) -> None:
    target = annotate(write_video(tmp_path / "source.mp4", 25), tmp_path / "annotated.mp4")
    stream = stream_of(target)
    assert (stream["codec_name"], stream["pix_fmt"], stream["nb_frames"]) == ("h264", "yuv420p", "25")
    assert stream["width"] == WIDTH
    assert stream["height"] % 2 == 0
    data = target.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert b"moof" not in data
    assert [path.name for path in tmp_path.glob("annotated*")] == ["annotated.mp4"]


@pytest.mark.parametrize("turn", ["turned right", "upside down", "mirrored and turned left"])
def test_rotated_video_is_upright(turn: str, tmp_path: Path) -> None:
    source = write_video(tmp_path / "turned.mp4", 4)
    set_matrix(source, turn)
    target = annotate(source, tmp_path / "annotated.mp4")
    is_upright = not {"left", "right"} & set(turn.split())
    shape = (HEIGHT, WIDTH) if is_upright else (WIDTH * 4 // 3, WIDTH)
    assert {orientation(picture) for picture in pictures_of(target, shape)} == {turn}
    assert "side_data_list" not in stream_of(target)
    assert frame_times(target) == frame_times(source)


@pytest.mark.parametrize("size", [(127, 95), (1, 1), (1301, 61), (39, 401)])
def test_any_size_becomes_an_even_one(size: tuple[int, int], tmp_path: Path) -> None:
    source = write_video(tmp_path / "odd.mkv", 4, size=size, pix_fmt="yuv444p")
    target = annotate(source, tmp_path / "annotated.mp4")
    stream = stream_of(target)
    assert (stream["width"] % 2, stream["height"] % 2, stream["pix_fmt"]) == (0, 0, "yuv420p")
    assert len(frame_times(target)) == 4


def test_pixels_that_are_not_square_become_square(tmp_path: Path) -> None:
    def set_aspect(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)

    source = write_video(tmp_path / "wide.mp4", 4, adjust=set_aspect)
    target = annotate(source, tmp_path / "annotated.mp4")
    assert stream_of(target).get("sample_aspect_ratio", "1:1") == "1:1"
    assert read_numbers(pictures_of(target, (HEIGHT // 2, WIDTH))) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("aac.mp4", ".mp4"), ("aac.mp4", ".mkv"), ("mp3.mkv", ".mp4"), ("opus.mkv", ".mkv"), ("aac.ts", ".mp4")],
)
def test_audio_packets_are_copied(name: str, suffix: str, tmp_path: Path) -> None:
    codec = {"aac": "aac", "mp3": "libmp3lame", "opus": "libopus"}[Path(name).stem]
    source = with_audio(tmp_path, name, "-c:a", codec)
    target = annotate(source, tmp_path / f"annotated{suffix}")
    audio, copied = audio_packets(source), audio_packets(target)
    if suffix == ".mkv":  # Matroska has no times below 0: the silence before the encoder's first sample is dropped
        audio = [packet for packet in audio if float(packet[0]) >= 0]
    shift = float(ffprobe(source, "-show_format")["format"]["start_time"]) if name.endswith(".ts") else 0.0
    assert [float(time_s) for time_s, _ in copied] == pytest.approx(
        [float(time_s) - shift for time_s, _ in audio], abs=1e-4 if suffix == ".mp4" else 1e-3
    )
    if not name.endswith(".ts"):  # its packets have headers that MP4 keeps once
        assert [digest for _, digest in copied] == [digest for _, digest in audio]


@pytest.mark.parametrize(
    ("name", "codec", "suffix"), [("pcm.mov", "pcm_s16le", ".mp4"), ("mp2.mpg", "mp2", ".mp4"), ("a.ts", "aac", ".mkv")]
)
def test_audio_that_the_container_does_not_take_becomes_aac(name: str, codec: str, suffix: str, tmp_path: Path) -> None:
    source = with_audio(tmp_path, name, "-c:a", codec, *(("-c:v", "mpeg2video") if name.endswith("mpg") else ()))
    target = annotate(source, tmp_path / f"annotated{suffix}")
    stream = stream_of(target, "audio")
    assert (stream["codec_name"], stream["channels"]) == ("aac", 1)
    times_s = [float(time_s) for time_s, _ in audio_packets(target)]
    assert times_s[0] == pytest.approx(0, abs=0.05)
    assert times_s[-1] == pytest.approx(1.2, abs=0.08)


def test_only_the_section_is_written(tmp_path: Path) -> None:
    source = with_audio(tmp_path, "source.mkv", "-c:a", "pcm_s16le")
    target = annotate(source, tmp_path / "annotated.mkv", section=(0.4, 0.8))
    assert read_numbers(pictures_of(target, (HEIGHT, WIDTH))) == list(range(10, 20))
    assert frame_times(target) == pytest.approx(np.arange(10) / 25, abs=0.51e-3)
    times_s = [float(time_s) for time_s, _ in audio_packets(target)]
    assert 0 <= times_s[0] < 0.06
    assert 0.3 < times_s[-1] < 0.4


def test_images_become_a_video_of_the_runs_frame_rate(tmp_path: Path) -> None:
    synthetic_frames(tmp_path / "frames", n_frames=10)
    target = annotate(tmp_path / "frames", tmp_path / "annotated.mp4")
    assert frame_times(target) == pytest.approx(np.arange(10) / 25, abs=1e-6)
    assert float(stream_of(target)["duration"]) == pytest.approx(0.4, abs=1e-6)


def test_a_section_of_an_animation_keeps_its_durations(tmp_path: Path) -> None:
    from PIL import Image

    pictures = [Image.new("RGB", (60, 40), (40 * number, 0, 0)) for number in range(6)]
    pictures[0].save(
        tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=[100, 300, 50, 200, 100, 100]
    )
    target = annotate(tmp_path / "a.gif", tmp_path / "annotated.mp4", section=(0.1, 0.7))
    assert frame_times(target) == pytest.approx([0.0, 0.3, 0.35, 0.55], abs=1e-6)


def test_damage_in_the_source_shortens_nothing_else(tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.mkv", 25, options={"bf": "0", "g": "5"})
    damaged = remux(source, tmp_path / "damaged.mkv", lambda number, _: number != 12)
    target = annotate(damaged, tmp_path / "annotated.mp4")
    assert len(frame_times(target)) >= 20
    assert set(frame_times(target)) <= set(frame_times(source))
