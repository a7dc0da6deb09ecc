"""The report of a run that did not ask about everything: what was not asked is never shown as a score of the model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.report.mistakes import ScoredSegment, worst_false_alarms, worst_misses
from anyanomaly.report.series import UNASKED, SegmentSeries, is_unasked
from anyanomaly.report.sink import HtmlReportOptions, HtmlReportSink
from anyanomaly.types import Video
from tests.report.test_report import Page
from tests.support.browser import Browser, accessibility_faults
from tests.support.reports import header, results_of_video, write_results

VIDEO = Video("cam/1", "", 25.0, None, 320, 180)
VALUES = {"bicycle": [0.02, 0.0, 0.9, 0.01, 0.01, 0.05], "smoke": [0.0, 0.1, 0.2, 0.0, 0.1, 0.0]}
PRIORITIES = {"bicycle": [0.12, None, None, 0.06, 0.06, 0.29]}
TRUTH = {"bicycle": [(2.0, 3.0), (5.0, 6.0)]}
"""The second event was not asked about."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "r.html"
    run = header(list(VALUES)) | {"config": header(list(VALUES))["config"] | {"gates": ["motion"]}}
    results = results_of_video(VIDEO, VALUES, TRUTH, PRIORITIES)
    write_results(HtmlReportSink(HtmlReportOptions(path=str(path))), run, results)
    return path


def test_the_report_counts_what_was_asked_and_names_the_gate(report: Path) -> None:
    words = Page(report).words
    assert "asked about 2 of 6 segments" in words
    assert "The model was asked about 8 of 12 segments, counted for each event text." in words
    assert "The gate motion rated them." in words
    assert "Nothing: all 24 answers have a readable score." in words  # three contexts of each of the 8
    assert "not asked: score of the gates" in words


def test_a_miss_that_was_not_asked_says_so_and_comes_first(report: Path) -> None:
    words = Page(report).words
    misses = words.partition("Misses and weakest hits")[2].partition("cam/1 0:00:06.0")[0]
    first, _, second = misses.partition("0:00:05.0 – 0:00:06.0")
    assert "not asked" in first
    assert second.startswith(" The model was not asked: the gate motion rated it 0.29.")
    assert "0.90" in second
    alarms = words.partition("False alarms:")[2].partition("Misses and")[0]
    assert "not asked" not in alarms


def test_the_timelines_hatch_what_was_not_asked(browser: Browser, report: Path) -> None:
    with browser.open(report) as visit:
        page = visit.page
        page.locator("#v0t0 .plot").scroll_into_view_if_needed()
        page.wait_for_selector("#v0t0 .plot.drawn")
        page.wait_for_selector("#v0t1 .plot.drawn")
        spans = [[0, 1000], [3000, 6000]]
        assert page.evaluate(_COLUMNS, ["unasked", "left", "right"]) == [spans, []]
        assert page.evaluate(_LEVELS, "raw")[0] == [None, 0, 0.9, None, None, None]
        assert page.evaluate(_LEVELS, "gate")[0] == [0.02, None, None, 0.01, 0.01, 0.05]
        box = page.locator("#v0t0 .plot").bounding_box()
        tips = []
        for second in (0.5, 1.5):  # not asked, and asked with the answer 0
            page.mouse.move(box["x"] + 40 + (box["width"] - 64) * second / 6, box["y"] + 40)
            tips.append(page.locator("#v0t0 .tip").inner_text().split())
        assert "not asked" in " ".join(tips[0])
        assert tips[0][-1] == "0.12"  # of the gate
        assert "key" not in tips[0]
        assert "not asked" not in " ".join(tips[1])
        assert tips[1][tips[1].index("key") + 1] == "0.00"
        assert visit.problems == []
        assert accessibility_faults(page) == []


def test_a_report_without_gates_has_no_sign_of_them(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    write_results(
        HtmlReportSink(HtmlReportOptions(path=str(path))), header(list(VALUES)), results_of_video(VIDEO, VALUES)
    )
    page = Page(path)
    assert "not asked" not in page.words.replace("Was not asked", "")
    assert "Nothing: every segment was asked about." in page.words
    assert [chart["unasked"] for chart in page.data["videos"][0]["charts"]] == [[], []]


_COLUMNS = """([name, left, right]) => Bokeh.documents.map(document => {
  const data = document.get_model_by_name(name).data;
  return Array.from(data[left]).map((start, row) => [start, data[right][row]]);
})"""
_LEVELS = """name => Bokeh.documents.map(document => {
  const y = Array.from(document.get_model_by_name(name).data.y);
  return y.filter((_, row) => row % 2 == 0).map(level => Number.isNaN(level) ? null : Math.round(100 * level) / 100);
})"""


def segment(number: int, value: float, asked: bool) -> ScoredSegment:
    return ScoredSegment("cam", "run", number, float(number), number + 1.0, value, asked)


def test_in_a_stretch_that_was_partly_asked_only_answers_count() -> None:
    segments = [segment(0, 0.2, False), segment(1, 0.1, True), segment(2, 0.3, True), segment(3, 0.2, False)]
    (miss, weak) = worst_misses(segments, [(0.0, 2.0), (2.0, 3.0)], 5)
    assert (miss.best.segment, miss.n_asked, miss.n_segments) == (1, 1, 2)
    assert (weak.best.segment, weak.n_asked, weak.n_segments) == (2, 1, 1)
    assert [alarm.segment for alarm in worst_false_alarms(segments, [], 5)] == [2]


def test_what_was_not_asked_is_a_miss_also_without_a_value() -> None:
    unreadable, unasked = segment(0, math.nan, True), segment(1, math.nan, False)
    (miss,) = worst_misses([unreadable, unasked], [(0.0, 1.0), (1.0, 2.0)], 5)
    assert miss.best == unasked


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=100))
def test_merged_segments_keep_answers_before_scores_of_gates(rows: list[tuple[float, bool]]) -> None:
    series = SegmentSeries(["key", "temporal"], ["motion"], max_rows=8)
    for number, (value, is_asked) in enumerate(rows):
        scores: dict[str, Any] = {"key": value if is_asked else UNASKED, "temporal": UNASKED}
        series.add(number, number + 1, value, scores, str(number), {"motion": value})
    table = series.table()
    answers = [value for value, is_asked in rows if is_asked]
    assert (series.n_segments, series.n_unasked) == (len(rows), len(rows) - len(answers))
    asked = ~is_unasked(table, 2)
    assert asked.any() == bool(answers)
    if answers:
        assert np.max(table[asked, 2]) == max(answers)
