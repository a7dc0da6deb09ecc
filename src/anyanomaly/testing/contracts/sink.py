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
        on_disk = "".join(file.read_text() for file in path.parent.glob(f"{path.name}*"))
        _end(component)
        if spec.streams:
            assert on_disk
            assert path.read_text().startswith(on_disk)

    def test_k2_k3_videos_follow_each_other_and_missing_scores_survive(
        self, component: Sink[SinkOptions], path: Path
    ) -> None:
        component.load()
        component.begin({"config": {}})
        _write(component, "first")
        _write(component, "second", value=math.nan)
        _end(component)
        content = re.sub(r"(?s)<script>.*?</script>", "", path.read_text())  # a page's programs may say NaN
        assert "NaN" not in content
        assert content.index("first") < content.index("second")

    def test_k4_without_results_an_older_file_is_not_changed(self, component: Sink[SinkOptions], path: Path) -> None:
        path.write_text("of an earlier run")
        component.load()
        component.begin({"config": {}})
        _end(component, "interrupted")
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


def _end(sink: Sink[SinkOptions], status: RunStatus = "complete") -> None:
    sink.end(RunEnd(status, 1, 1, 1, "The engine died." if status == "failed" else ""))
    sink.close()


def _write(sink: Sink[SinkOptions], name: str, value: float = 0.75) -> None:
    video = Video(name, f"{name}.mp4", 25.0, 2, 4, 4)
    times_s = np.array([0.0, 0.04])
    score = Score(QueryId(name, 0, "a car", "key"), value, "0.8. A car.")
    sink.write_segment(SegmentScore(video, 0, 0, 2, times_s, "a car", {"key": score}, value))
    series = np.array([value, value], dtype=np.float32)
    sink.write_timeline(Timeline(video, "a car", 0, times_s, series, series.copy(), {"key": series.copy()}))
    sink.write_event(Event(name, "a car", 0.0, 0.08, 0.75, 0.0, "0.8. A car."))
    sink.write_notice(Notice(name, f"{name}.mp4 has no timestamps."))
