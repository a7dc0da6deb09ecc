"""The sink of annotated videos: what it draws, when, and what is left after an interruption."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from anyanomaly.api.sink import RunEnd
from anyanomaly.errors import OutputError
from anyanomaly.evidence import Evidence, Exchange, Picture
from anyanomaly.media.annotated_scores import TextScores
from anyanomaly.media.annotated_strip import COLOURS, Strip
from anyanomaly.types import Event, Video
from tests.media.annotating import (
    HEIGHT,
    RULE,
    WIDTH,
    annotate,
    end,
    feed,
    frame_times,
    new_sink,
    pictures_of,
    probe_video,
    stream_of,
    strips_of,
)
from tests.media.test_text_painter import HOSTILE
from tests.videos.making import write_video
from tests.videos.marks import draw


def is_coloured(strip: np.ndarray, colour: Sequence[int]) -> bool:
    """Return whether the line below the picture has a colour: an event is drawn."""
    return bool(np.abs(strip[1].mean(axis=0) - colour).max() < 40)


def wait_for(path: Path, n_bytes: int = 1) -> None:
    """Wait until a file has so many bytes, for at most a minute."""
    for _ in range(1200):
        if path.exists() and path.stat().st_size >= n_bytes:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path.name} does not grow")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_video(tmp_path / "source.mp4", 20)


@pytest.fixture
def long_source(tmp_path: Path) -> Path:
    """A video of 8 s with few frames."""
    return write_video(tmp_path / "long.mp4", 80, rate=10, size=(64, 48))


def test_exactly_the_frames_of_the_event_are_marked(source: Path, tmp_path: Path) -> None:
    target = annotate(source, tmp_path / "annotated.mp4")
    strips = strips_of(target, HEIGHT)
    assert [is_coloured(strip, COLOURS[0]) for strip in strips] == [5 <= number < 15 for number in range(20)]
    title = slice(-60, None)
    assert strips[10][title].max() > 200  # the reason
    assert strips[18][title].max() < 60  # nothing


def test_the_curve_has_a_colour_per_text(source: Path, tmp_path: Path) -> None:
    texts = ("a bicycle", "smoke", "a fight")
    strip = strips_of(annotate(source, tmp_path / "annotated.mp4", texts=texts), HEIGHT)[0].astype(int)
    for colour in COLOURS[:3]:
        assert (np.abs(strip - np.array(colour)).sum(axis=2) < 60).any()


def test_frames_are_written_while_the_run_goes_on(long_source: Path, tmp_path: Path) -> None:
    video, times_s = probe_video(long_source)
    sink = new_sink(tmp_path / "annotated.mp4", window_s=1.0)
    feed(sink, video, times_s)
    partial = tmp_path / "annotated.mp4.partial"
    wait_for(partial, 2000)
    n_frames = len(frame_times(partial))
    assert 0 < n_frames < len(times_s)
    assert not (tmp_path / "annotated.mp4").exists()
    end(sink)
    assert len(frame_times(tmp_path / "annotated.mp4")) == len(times_s)
    assert not partial.exists()


def test_after_a_kill_the_partial_file_can_be_played(long_source: Path, tmp_path: Path) -> None:
    target = tmp_path / "annotated.mp4"
    script = f"""
        import time
        from pathlib import Path
        from tests.media.annotating import *
        video, times_s = probe_video(Path({str(long_source)!r}))
        sink = new_sink(Path({str(target)!r}), window_s=1.0)
        feed(sink, video, times_s)
        time.sleep(600)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], cwd=Path(__file__).parents[2])
    try:
        wait_for(tmp_path / f"{target.name}.partial", 8000)
    finally:
        process.kill()
        process.wait()
    times_s = frame_times(tmp_path / f"{target.name}.partial")
    assert times_s
    assert times_s == pytest.approx(frame_times(long_source)[: len(times_s)], abs=0.51e-3)
    annotate(long_source, target)
    assert len(frame_times(target)) == 80
    assert len(frame_times(tmp_path / f"{target.name}.1.partial")) == len(times_s)


def test_an_interrupted_run_leaves_the_frames_so_far_and_the_older_file(long_source: Path, tmp_path: Path) -> None:
    target = tmp_path / "annotated.mp4"
    target.write_bytes(b"older")
    video, times_s = probe_video(long_source)
    sink = new_sink(target, window_s=1.0)
    feed(sink, video, times_s)
    wait_for(tmp_path / "annotated.mp4.partial", 2000)
    end(sink, "interrupted")
    assert target.read_bytes() == b"older"
    assert 0 < len(frame_times(tmp_path / "annotated.mp4.partial")) <= 80


def test_a_run_without_results_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "annotated.mp4"
    target.write_bytes(b"older")
    end(new_sink(target), "interrupted")
    assert [path.name for path in tmp_path.iterdir()] == ["annotated.mp4"]
    assert target.read_bytes() == b"older"


def test_two_runs_cannot_write_the_same_file(tmp_path: Path) -> None:
    sink = new_sink(tmp_path / "annotated.mp4")
    with pytest.raises(OutputError, match="another run"):
        new_sink(tmp_path / "annotated.mp4")
    end(sink)


def test_several_videos_become_several_files_with_safe_names(source: Path, tmp_path: Path) -> None:
    sink = new_sink(tmp_path / "annotated.mp4", n_videos=2)
    video, times_s = probe_video(source)
    for name in ("yard/north: gate", "YARD/north: gate"):
        feed(sink, Video(name, video.uri, video.fps, None, video.width, video.height), times_s)
    end(sink)
    names = {path.name for path in tmp_path.glob("annotated*")}
    assert names == {"annotated-yard_north_ gate.mp4", "annotated-YARD_north_ gate-2.mp4"}
    assert names == {Path(path).name for path in sink.written_paths}
    assert all(len(frame_times(tmp_path / name)) == 20 for name in names)


def test_a_live_video_is_refused(tmp_path: Path) -> None:
    sink = new_sink(tmp_path / "annotated.mp4")
    with pytest.raises(OutputError, match="live"):
        sink.write_video(Video("cam", "rtsp://cam", 25.0, None, 4, 4, live=True))
    end(sink, "failed")


def test_a_source_that_is_missing_costs_only_its_own_video(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = new_sink(tmp_path / "annotated.mp4", n_videos=2)
    video, times_s = probe_video(source)
    feed(sink, Video("moved", str(tmp_path / "moved.mp4"), 25.0, None, 4, 4), times_s)
    feed(sink, Video("unnamed", "", 25.0, None, 4, 4), times_s)
    feed(sink, video, times_s)
    end(sink)
    assert [path.name for path in tmp_path.glob("annotated*")] == ["annotated-source.mp4"]
    assert "no annotated video of moved" in caplog.text
    assert "no annotated video of unnamed" in caplog.text


def test_a_run_without_event_texts_shows_the_video(source: Path, tmp_path: Path) -> None:
    assert len(frame_times(annotate(source, tmp_path / "annotated.mp4", texts=()))) == 20


def test_a_failure_of_the_thread_ends_the_run(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no memory left")

    monkeypatch.setattr("anyanomaly.media.annotated_video.VideoAnnotator.advance", fail)
    sink = new_sink(tmp_path / "annotated.mp4")
    video, times_s = probe_video(source)
    with pytest.raises(OutputError, match="no memory left"):  # noqa: PT012
        feed(sink, video, times_s)
        sink.end(RunEnd("complete", 1, 1, 0))
    sink.close()


def test_hostile_texts_do_not_leave_the_strip(source: Path, tmp_path: Path) -> None:
    texts = tuple(text[:500] or "x" for text in HOSTILE)
    target = annotate(source, tmp_path / "annotated.mp4", texts=texts, reason="".join(HOSTILE))
    assert HEIGHT < stream_of(target)["height"] < 2 * HEIGHT
    errors = [
        np.abs(picture.astype(int) - draw(number, (WIDTH, HEIGHT))).mean()
        for number, picture in enumerate(pictures_of(target, (HEIGHT, WIDTH)))
    ]
    assert max(errors) < 12


@pytest.mark.parametrize("text", HOSTILE)
def test_any_event_is_painted_in_a_strip_of_constant_height(text: str) -> None:
    scores = TextScores(RULE)
    scores.add_event(Event("v", text, 1.0, 2.0, 0.9, 1.5, text))
    strip = Strip(WIDTH, (text,), RULE.threshold, 15.0)
    image = np.zeros((strip.height, WIDTH, 3), np.uint8)
    for time_s, has_event in ((0.5, False), (1.5, True), (2.0, False)):
        strip.paint(image, time_s, [scores])
        assert is_coloured(image, COLOURS[0]) is has_event


def test_a_full_disk_is_an_error_of_the_run_and_keeps_what_is_there(
    long_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write, n_bytes = os.write, 0

    def write(descriptor: int, data: bytes) -> int:
        nonlocal n_bytes
        n_bytes += len(data)
        if n_bytes > 60_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(descriptor, data)

    sink = new_sink(tmp_path / "annotated.mp4", window_s=1.0)
    video, times_s = probe_video(long_source)
    monkeypatch.setattr("anyanomaly.api.partial_file.os.write", write)
    with pytest.raises(OutputError, match="No space left"):  # noqa: PT012
        feed(sink, video, times_s)
        sink.end(RunEnd("complete", 1, 1, 0))
    sink.close()
    monkeypatch.undo()
    assert 0 < len(frame_times(tmp_path / "annotated.mp4.partial")) < 80
    end(new_sink(tmp_path / "annotated.mp4"))


def test_attention_tints_the_picture_in_its_segment_only(source: Path, tmp_path: Path) -> None:
    video, _ = probe_video(source)
    weights = np.zeros((4, 4), np.float32)
    weights[0, 0] = 1
    picture = Picture(b"", 1, 1)
    exchange = Exchange("position", 0, (), "", "", "", 0.9, views={"attention": weights})
    evidence = Evidence("v", "a bicycle", 0, 5, 15, 0.2, 0.6, 0.9, {}, picture, (), (exchange,))
    changes = []
    for shows_attention in (False, True):
        target = tmp_path / f"annotated-{shows_attention}.mp4"
        sink = new_sink(target, attention=shows_attention)
        assert sink.wants_evidence is shows_attention
        sink.write_video(video)
        sink.write_evidence(evidence)
        end(sink)
        changes.append([picture[:40, :40].mean() for picture in pictures_of(target, (HEIGHT, WIDTH))])
    differs = [abs(plain - tinted) > 10 for plain, tinted in zip(*changes, strict=True)]
    assert differs == [5 <= number < 15 for number in range(20)]
