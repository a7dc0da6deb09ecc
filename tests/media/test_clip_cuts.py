"""Clips begin at the key frame before, end behind the post-roll, and exact clips are right within one frame."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from anyanomaly.testing.videos import synthetic_frames
from tests.media.clipping import RUN, event, key_numbers, make_clips, read_clip
from tests.videos.making import to_frame, write_video
from tests.videos.marks import SIZE, draw, orientation
from tests.videos.patching import set_matrix
from tests.videos.reading import read

N_FRAMES = 120
SPAN_S = (2.0, 3.0)  # of the event
FRAMES = range(45, 80)  # with 0.2 s before and behind, at 25 frames per second
TIMES_MS = [int(1000 * number / 25 + 200 * np.sin(number / 7)) for number in range(N_FRAMES)]


def _late(_: int, packet: Any) -> Any:
    """Let a video start at 3.2 s."""
    packet.pts += round(Fraction(32, 10) / packet.time_base)
    packet.dts += round(Fraction(32, 10) / packet.time_base)
    return packet


VIDEOS: dict[str, tuple[str, dict[str, Any]]] = {
    "key frame every 10": ("v.mp4", {"options": {"g": "10", "bf": "0"}}),
    "one key frame": ("v.mp4", {"options": {"g": "500"}}),
    "B-frames": ("v.mp4", {"options": {"g": "24", "bf": "3", "x264-params": "b-adapt=0:b-pyramid=normal"}}),
    "open GOP": ("v.mkv", {"options": {"x264-params": "keyint=24:min-keyint=24:open-gop=1:bframes=3:b-adapt=0"}}),
    "late start": ("v.mkv", {"options": {"g": "24", "bf": "2"}, "change_packet": _late}),
    "late start in MP4": ("v.mp4", {"options": {"g": "24", "bf": "2"}, "change_packet": _late}),
    "transport stream": ("v.ts", {"options": {"g": "24", "bf": "2"}}),
    "MPEG-4": ("v.mp4", {"codec": "mpeg4", "options": {"g": "12"}}),
    "no MP4 codec": ("v.mkv", {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}}),
}


@pytest.mark.parametrize("name", VIDEOS)
def test_copied_clips_begin_at_the_key_frame_before(name: str, tmp_path: Path) -> None:
    file, arguments = VIDEOS[name]
    source = write_video(tmp_path / file, N_FRAMES, **arguments)
    (record,) = make_clips(tmp_path / "clips", source, [event(*SPAN_S)])
    clip = read_clip(tmp_path / "clips", record)
    assert (record["is_exact"], record["problem"]) == (False, "")
    first = max(number for number in key_numbers(source) if number <= FRAMES.start)
    assert clip.numbers[0] == first
    assert FRAMES.stop - 1 <= clip.numbers[-1] < FRAMES.stop + 4
    assert clip.numbers == list(range(first, clip.numbers[-1] + 1))
    assert clip.times_s == pytest.approx([(number - first) / 25 for number in clip.numbers], abs=1.5e-3)
    assert record["start_s"] == pytest.approx(first / 25, abs=1.5e-3)
    assert record["stop_s"] == pytest.approx((clip.numbers[-1] + 1) / 25, abs=1.5e-3)
    assert Path(record["clip"]).suffix == (".mkv" if name == "no MP4 codec" else ".mp4")


@pytest.mark.parametrize("name", VIDEOS)
def test_exact_clips_have_the_frames_of_the_event_and_of_the_rolls(name: str, tmp_path: Path) -> None:
    file, arguments = VIDEOS[name]
    source = write_video(tmp_path / file, N_FRAMES, **arguments)
    (record,) = make_clips(tmp_path / "clips", source, [event(*SPAN_S)], exact=True)
    clip = read_clip(tmp_path / "clips", record)
    assert record["is_exact"]
    assert abs(clip.numbers[0] - FRAMES.start) <= 1
    assert abs(clip.numbers[-1] - (FRAMES.stop - 1)) <= 1
    assert clip.numbers == list(range(clip.numbers[0], clip.numbers[-1] + 1))
    assert clip.times_s == pytest.approx([(number - clip.numbers[0]) / 25 for number in clip.numbers], abs=1.5e-3)
    assert record["start_s"] == pytest.approx(clip.numbers[0] / 25, abs=1.5e-3)


@pytest.mark.parametrize("exact", [False, True])
def test_a_variable_frame_rate_is_kept(exact: bool, tmp_path: Path) -> None:
    source = write_video(tmp_path / "v.mkv", N_FRAMES, times_ms=TIMES_MS, options={"g": "10", "bf": "2"})
    shown_s = dict(zip(range(N_FRAMES), read(source).times_s, strict=True))
    (record,) = make_clips(tmp_path / "clips", source, [event(*SPAN_S)], exact=exact)
    clip = read_clip(tmp_path / "clips", record)
    expected_s = [shown_s[number] - shown_s[clip.numbers[0]] for number in clip.numbers]
    assert clip.times_s == pytest.approx(expected_s, abs=2e-3)
    assert shown_s[clip.numbers[0]] == pytest.approx(record["start_s"], abs=2e-3)
    assert shown_s[clip.numbers[0]] <= SPAN_S[0] - 0.2 + (0.05 if exact else 0)


def test_events_at_the_ends_give_shorter_rolls(tmp_path: Path) -> None:
    source = write_video(tmp_path / "v.mp4", 50, options={"g": "10"})
    events = [event(0.1, 0.5), event(1.5, 2.0)]
    records = make_clips(tmp_path / "clips", source, events, pre_roll_s=0.4, post_roll_s=5, exact=True)
    first, last = (read_clip(tmp_path / "clips", record) for record in records)
    assert first.numbers == list(range(50))
    assert last.numbers == list(range(28, 50)) or last.numbers == list(range(27, 50))
    assert last.record["stop_s"] == pytest.approx(2.0, abs=1e-3)


def test_the_rotation_of_a_source_is_kept(tmp_path: Path) -> None:
    source = write_video(tmp_path / "v.mp4", N_FRAMES, options={"g": "10"})
    set_matrix(source, "turned right")
    (record,) = make_clips(tmp_path / "clips", source, [event(*SPAN_S)])
    shown = {orientation(image) for image in read(tmp_path / "clips" / record["clip"]).images}
    assert shown == {orientation(image) for image in read(source).images}
    assert shown != {"upright"}


@pytest.mark.parametrize("exact", [False, True])
def test_all_audio_tracks_are_copied_in_step(exact: bool, tmp_path: Path) -> None:
    source = with_audio(tmp_path / "v.mp4")
    (record,) = make_clips(tmp_path / "clips", source, [event(*SPAN_S)], exact=exact)
    clip = tmp_path / "clips" / record["clip"]
    with av.open(str(clip)) as container:
        assert [track.language for track in container.streams.audio] == ["eng", "deu"]
    for track in range(2):
        source_times = audio_times(source, track)
        clip_times = audio_times(clip, track)
        assert len(clip_times) > 40
        for data, time_s in clip_times.items():
            assert source_times[data] - time_s == pytest.approx(record["start_s"], abs=2e-3)
        assert record["stop_s"] - record["start_s"] - 0.15 < max(clip_times.values()) < record["stop_s"]


def test_images_and_animations_are_encoded(tmp_path: Path) -> None:
    synthetic_frames(tmp_path / "images", n_frames=40)
    run = {**RUN, "readers": [{"name": "images", "fps": 10}]}
    (record,) = make_clips(tmp_path / "clips", tmp_path / "images", [event(*SPAN_S)], run=run)
    with av.open(str(tmp_path / "clips" / record["clip"])) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        times_s = [frame.time for frame in container.decode(stream)]
    assert times_s == pytest.approx(np.arange(14) / 10, abs=1e-3)
    assert record["is_exact"]
    assert "encoded" in record["problem"]


def test_what_cannot_be_copied_is_encoded(tmp_path: Path) -> None:
    source = write_video(tmp_path / "v.avi", N_FRAMES, codec="mpeg4", options={"g": "12"})
    (record,) = make_clips(tmp_path / "clips", source, [event(*SPAN_S)])
    assert read_clip(tmp_path / "clips", record).numbers == list(FRAMES)
    assert record["is_exact"]
    assert "avi files do not store when frames are shown" in record["problem"]


def with_audio(path: Path) -> Path:
    """Write numbered frames with two tracks of noise."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt, video.options = *SIZE, "yuv420p", {"g": "12"}
        tracks: list[Any] = []
        for language in ("eng", "deu"):
            track: Any = container.add_stream("aac", rate=48000, layout="mono")
            track.metadata["language"] = language
            tracks.append(track)
        for number in range(N_FRAMES):
            container.mux(video.encode(to_frame(draw(number), "yuv420p")))
            for track in tracks:
                samples = rng.normal(0, 0.1, (1, 1920)).astype(np.float32)
                frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 48000, number * 1920
                container.mux(track.encode(frame))
        for stream in (video, *tracks):
            container.mux(stream.encode())
    return path


def audio_times(path: Path, track: int) -> dict[bytes, float]:
    """Return the time of each packet of an audio track, by its content."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams.audio[track]) if packet.size]
        times = {bytes(packet): float(packet.pts * packet.time_base) for packet in packets}
    assert all(before < after for before, after in pairwise(times.values()))
    return times
