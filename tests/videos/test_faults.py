"""Damaged files: what can be decoded is read, the rest is counted and reported, and nothing crashes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from anyanomaly.errors import VideoError
from tests.videos.making import remux, write_video
from tests.videos.patching import set_edits
from tests.videos.reading import assert_complete, read


def damage(number: int, packet: Any) -> Any:
    """Return noise in place of some packets, behind the first bytes, which a muxer may read."""
    if number not in {15, 16, 31}:
        return packet
    noise: Any = av.Packet(bytes(packet)[:8] + np.random.default_rng(number).bytes(max(0, packet.size - 8)))
    for name in ("pts", "dts", "duration", "time_base", "is_keyframe", "stream"):
        setattr(noise, name, getattr(packet, name))
    return noise


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("damaged.mp4", "libx264", {"g": "10", "bf": "2"}),
        ("damaged.mkv", "libx264", {"g": "10", "bf": "0"}),
        ("damaged.mkv", "libx265", {"x265-params": "log-level=none:keyint=10"}),
        ("damaged.webm", "libvpx-vp9", {"g": "10"}),
        ("damaged.avi", "mpeg4", {"g": "10"}),
        ("damaged.avi", "mjpeg", {}),
        ("damaged.mkv", "ffv1", {}),
    ],
)
def test_damaged_packets_are_skipped_and_reported(
    name: str, codec: str, options: dict[str, str], tmp_path: Path
) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = tmp_path / name
    reading = read(write_video(path, 60, codec=codec, pix_fmt=pix_fmt, options=options, change_packet=damage))
    assert len(reading.frames) >= 60 - 25
    assert set(reading.numbers) >= {*range(10), *range(42, 60)}, "what needs no damaged packet is right"
    assert np.all(np.diff(reading.times_s) > 0)
    last = reading.numbers.index(59)
    assert reading.times_s[last] == pytest.approx(59 / 25, abs=2e-3), "frames behind the damage keep their times"
    assert name in " ".join([reading.complaint, *reading.notices])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", ["cut.ts", "cut.mkv", "cut.avi", "cut.flv", "cut.mpg"])
def test_a_file_that_breaks_off_is_read_as_far_as_it_goes(name: str, share: float, tmp_path: Path) -> None:
    codec = {".avi": "mpeg4", ".mpg": "mpeg2video"}.get(Path(name).suffix, "libx264")
    whole = write_video(tmp_path / f"whole{Path(name).suffix}", 200, codec=codec, options={"g": "10", "b": "200k"})
    content = whole.read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(len(content) * share)])
    reading = read(path)
    assert 200 * share - 25 < len(reading.frames) <= 200 * share + 25
    assert reading.numbers[:-5] == list(range(len(reading.frames) - 5))


@pytest.mark.parametrize("name", ["fragments.mp4", "index.mp4"])
def test_an_mp4_that_breaks_off_is_read_and_reported(name: str, tmp_path: Path) -> None:
    flags = "frag_keyframe+empty_moov" if name == "fragments.mp4" else "faststart"
    whole = write_video(tmp_path / "whole.mp4", 200, options={"g": "10"}, muxer_options={"movflags": flags})
    content = whole.read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: len(content) // 2])
    reading = read(path)
    assert 60 < len(reading.frames) < 140
    assert reading.numbers[:-5] == list(range(len(reading.frames) - 5))
    if name == "index.mp4":
        assert name in reading.complaint


def test_the_number_of_threads_changes_nothing_in_a_damaged_file(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "cut.mp4", 100, options={"g": "30", "bf": "3"}, muxer_options={"movflags": "faststart"}
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    one, many = read(path, threads=1), read(path, threads=5)
    assert one.times_s == many.times_s
    assert one.numbers == many.numbers
    assert one.complaint == many.complaint


def test_an_avi_without_an_index_is_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "recording.avi", 50, codec="mpeg4")
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"idx1")])
    assert_complete(read(path), 50)


@pytest.mark.parametrize("name", ["hole.ts", "hole.mkv", "hole.mp4"])
def test_a_hole_of_zeros_is_passed(name: str, tmp_path: Path) -> None:
    movflags = {"movflags": "faststart"} if name.endswith("mp4") else {}
    path = write_video(tmp_path / name, 200, options={"g": "10"}, muxer_options=movflags)
    content = bytearray(path.read_bytes())
    start = len(content) * 2 // 5
    content[start : start + len(content) // 10] = bytes(len(content) // 10)
    path.write_bytes(content)
    reading = read(path)
    assert len(reading.frames) > 120
    assert set(reading.numbers) >= {*range(40), *range(150, 190)}
    assert name in " ".join([reading.complaint, *reading.notices])


def test_missing_packets_at_the_start_are_passed(tmp_path: Path) -> None:
    """A recording that starts between two key frames, as cameras and broadcasts give it."""
    source = write_video(tmp_path / "whole.ts", 60, options={"g": "20", "bf": "2"})
    path = remux(source, tmp_path / "late.ts", lambda number, _: number >= 7)
    reading = read(path)
    assert set(reading.numbers) >= set(range(20, 60))
    assert np.all(np.diff(reading.times_s) > 0)


@pytest.mark.parametrize("kind", ["sound only", "no packet", "zeros", "noise", "text", "unknown codec"])
def test_what_holds_no_video_is_one_sentence_that_names_it(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "nothing 100% [x].mp4"
    if kind == "sound only":
        with av.open(str(path), "w") as container:
            sound = container.add_stream("aac", rate=48000, layout="mono")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 48000
            container.mux([*sound.encode(frame), *sound.encode()])
    elif kind == "no packet":
        remux(write_video(tmp_path / "whole.mp4", 5), path, lambda *_: False)
    elif kind == "unknown codec":
        write_video(path, 5)
        path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    else:
        content = {"zeros": bytes(5000), "noise": np.random.default_rng(0).bytes(5000), "text": b"Dear diary\n" * 500}
        path.write_bytes(content[kind])
    with pytest.raises(VideoError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_edit_list_that_repeats_the_video_without_end_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "loop.mp4", 50)
    set_edits(path, [(0, 50)] * 20_000)
    with pytest.raises(VideoError, match=r"loop\.mp4 lists 1,000,000 packets, more than it has bytes"):
        read(path)


@pytest.mark.parametrize(
    "content",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {other}\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        "[Reference]\nRef1=http://127.0.0.1:9/x.asf\n",
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".wmv"])
def test_a_playlist_opens_no_other_file(content: str, suffix: str, tmp_path: Path) -> None:
    other = write_video(tmp_path / "other.mp4", 5)
    path = tmp_path / f"list{suffix}"
    path.write_text(content.format(other=other))
    with pytest.raises(VideoError, match="cannot be opened as a video"):
        read(path)
