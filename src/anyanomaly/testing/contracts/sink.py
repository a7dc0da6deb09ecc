"""The contract of sinks (K clauses)."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anyanomaly.api import RunEnd, Sink, SinkOptions
from anyanomaly.api.sink import RunStatus
from anyanomaly.builtin.opencv import opencv
from anyanomaly.evidence import Evidence, Exchange, Picture, Truth
from anyanomaly.specs import SinkSpec
from anyanomaly.testing.contracts.component import ComponentContract
from anyanomaly.types import Event, Notice, QueryId, Score, SegmentScore, Timeline, Video


class SinkContract(ComponentContract):
    """Fixtures ``component``: a sink with a path to write, not loaded; ``path``: that path; ``spec``: its spec."""

    @pytest.fixture
    def spec(self) -> SinkSpec:
        """Return the sink's spec."""
        raise AssertionError("the sink contract needs the fixture `spec`")

    @pytest.fixture
    def path(self, component: Any) -> Path:
        """Return the path that the sink writes."""
        return Path(component.options.path)

    def test_k1_results_before_a_crash_are_on_disk(
        self, component: Sink[SinkOptions], path: Path, spec: SinkSpec
    ) -> None:
        component.load()
        component.begin({"config": {}})
        _write(component, "v")
        on_disk = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
        _end(component)
        if spec.streams:
            assert on_disk
            assert path.read_bytes().startswith(on_disk)

    def test_k2_k3_videos_follow_each_other_and_missing_scores_survive(
        self, component: Sink[SinkOptions], path: Path
    ) -> None:
        component.load()
        component.begin({"config": {}})
        _write(component, "first")
        _write(component, "second", value=math.nan)
        _end(component, n_videos=2)
        try:
            content = re.sub(r"(?s)<script>.*?</script>", "", path.read_text())  # a page's programs may say NaN
        except UnicodeDecodeError:
            pytest.skip("The results are not stored as text.")
        assert "NaN" not in content
        assert content.index("first") < content.index("second")

    def test_k4_without_results_an_older_file_is_not_changed(self, component: Sink[SinkOptions], path: Path) -> None:
        path.write_text("of an earlier run")
        component.load()
        component.begin({"config": {}})
        _end(component, "interrupted", n_videos=0)
        assert path.read_text() == "of an earlier run"
        assert list(path.parent.iterdir()) == [path]

    def test_k5_results_of_a_run_that_did_not_complete_replace_no_older_file(
        self, component: Sink[SinkOptions], path: Path
    ) -> None:
        path.write_text("of an earlier run")
        component.load()
        component.begin({"config": {}})
        _write(component, "v")
        _end(component, "failed")
        assert path.read_text() == "of an earlier run"

    def test_k6_takes_all_kinds_of_results_while_texts_alternate(
        self, component: Sink[SinkOptions], path: Path
    ) -> None:
        component.load()
        assert isinstance(component.wants_evidence, bool)
        component.begin({"config": {}})
        component.write_video(_video("v", n_frames=4))
        for start in (0, 2):
            for text in ("a car", "a dog"):
                _write_scores(component, "v", text, 0.75, start)
        for text in ("a car", "a dog"):
            if component.wants_evidence:
                component.write_evidence(_evidence("v", text))
            component.write_event(Event("v", text, 0.0, 0.16, 0.75, 0.0, "A car."))
            component.write_truth(Truth("v", text, ((0.0, 0.08), (0.12, 0.16))))
        component.write_notice(Notice("v", "v.mp4 has no timestamps."))
        component.end(RunEnd("complete", 4, 2, 1))
        component.close()
        assert path.stat().st_size


def _end(sink: Sink[SinkOptions], status: RunStatus = "complete", *, n_videos: int = 1) -> None:
    """End a run that wrote a segment, an event and a notice of each video."""
    sink.end(RunEnd(status, n_videos, n_videos, n_videos, "The engine died." if status == "failed" else ""))
    sink.close()


def _write(sink: Sink[SinkOptions], name: str, value: float = 0.75) -> None:
    sink.write_video(_video(name, n_frames=2))
    _write_scores(sink, name, "a car", value, start=0)
    if sink.wants_evidence:
        sink.write_evidence(_evidence(name, "a car"))
    sink.write_event(Event(name, "a car", 0.0, 0.08, 0.75, 0.0, "0.8. A car."))
    sink.write_notice(Notice(name, f"{name}.mp4 has no timestamps."))


def _write_scores(sink: Sink[SinkOptions], name: str, text: str, value: float, start: int) -> None:
    """Write the segment ``[start, start + 2)`` and its part of the timeline."""
    video = _video(name, n_frames=start + 2)
    times_s = np.array([start, start + 1]) / video.fps
    score = Score(QueryId(name, start // 2, text, "key"), value, "0.8. A car.")
    segment = SegmentScore(video, start // 2, start, start + 2, times_s, text, {"key": score}, value, start, (start,))
    sink.write_segment(segment)
    series = np.array([value, value], dtype=np.float32)
    sink.write_timeline(Timeline(video, text, start, times_s, series, series.copy(), {"key": series.copy()}))


def _video(name: str, n_frames: int) -> Video:
    return Video(name, f"{name}.mp4", 25.0, n_frames, 4, 4)


def _evidence(name: str, text: str) -> Evidence:
    _, jpeg = opencv().imencode(".jpg", np.full((4, 4, 3), 128, np.uint8))
    picture = Picture(jpeg.tobytes(), 4, 4, 0, 0.0)
    exchange = Exchange("key", 0, (picture,), "You look.", "Is there a car?", "0.8. A car.", 0.75, reason="A car.")
    return Evidence(name, text, 0, 0, 2, 0.0, 0.08, 0.75, {"key": 1.0}, picture, (picture,), (exchange,))
