"""Plots of runs that did not ask about everything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.api import RunEnd
from anyanomaly.core.labels import true_stretches
from anyanomaly.plots.plot_options import PlotOptions
from anyanomaly.plots.plot_sink import PlotSink
from anyanomaly.plots.series import SpanList
from anyanomaly.types import Timeline, Video
from tests.plots.test_plot import svg_texts, x_range


def draw(path: Path, asked: Sequence[bool]) -> bytes:
    """Draw ten seconds of scores, ``asked`` about each second."""
    with PlotSink(PlotOptions(path=str(path))) as sink:
        sink.begin({"config": {"run": {"threshold": 0.4}}})
        video = Video("v", "v.mp4", 25.0, 250, 4, 4)
        sink.write_video(video)
        for second, is_asked in enumerate(asked):
            times_s = second + np.arange(25) / 25
            raw = np.full(25, 0.3 if is_asked else 0.05, np.float32)
            contexts = {"key": np.full(25, 0.3 if is_asked else np.nan, np.float32)}
            flags = np.full(25, is_asked)
            sink.write_timeline(Timeline(video, "a dog", 25 * second, times_s, raw, raw.copy(), contexts, flags))
        sink.end(RunEnd("complete", 10, 0, 0))
    return path.read_bytes()


def test_what_was_not_asked_is_hatched_and_named(tmp_path: Path) -> None:
    asked = [True] * 2 + [False] * 5 + [True] * 3
    image = draw(tmp_path / "t.svg", asked)
    left, right = x_range(image, "smoothed-0")
    first, last = x_range(image, "unasked-0")
    second = (right - left) / 9.96
    np.testing.assert_allclose([(first - left) / second, (last - left) / second], [2, 7], atol=0.05)
    gate = x_range(image, "gate-0")
    np.testing.assert_allclose([(gate[0] - left) / second, (gate[1] - left) / second], [2, 7], atol=0.1)
    texts = svg_texts(image)
    assert "not asked: score of the gates" in texts
    assert "asked about 50% of the time, 0 events, v" in texts


def test_a_run_that_asked_about_everything_has_no_sign_of_it(tmp_path: Path) -> None:
    image = draw(tmp_path / "t.svg", [True] * 10)
    assert b"unasked" not in image
    assert "0 events, v" in svg_texts(image)
    assert not any("not asked" in text for text in svg_texts(image))


def test_a_video_that_was_not_asked_about_at_all_is_drawn(tmp_path: Path) -> None:
    for suffix in ("png", "pdf", "svg"):
        assert draw(tmp_path / f"t.{suffix}", [False] * 10)
    assert "asked about 0% of the time, 0 events, v" in svg_texts((tmp_path / "t.svg").read_bytes())


@given(st.lists(st.booleans(), min_size=1, max_size=400), st.integers(2, 40))
def test_spans_stay_few_and_where_they_were(flags: list[bool], max_spans: int) -> None:
    spans = SpanList(max_spans)
    for number, flag in enumerate(flags):
        if flag:
            spans.add(float(number), number + 1.0)
    assert spans.total_s == sum(flags)
    exact = [(float(start), float(stop)) for start, stop in true_stretches(np.array(flags))]
    kept = spans.reduce(max_spans)
    assert len(kept) <= max_spans
    if len(exact) <= max_spans:
        assert kept == exact
    assert all(start < stop for start, stop in kept)
    if kept:
        assert exact[0][0] <= kept[0][0]
        assert kept[-1][1] <= exact[-1][1]
