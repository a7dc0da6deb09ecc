"""Long series stay small, and no peak gets lost."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.report.series import CurveSeries, SegmentSeries

SCORES = st.lists(st.one_of(st.just(math.nan), st.floats(0, 1, width=32)), max_size=300)


@given(SCORES, st.integers(1, 40))
def test_a_curve_keeps_its_lowest_and_highest_point_and_its_order(values: list[float], piece: int) -> None:
    series = CurveSeries(max_rows=16)
    times_s, scores = np.arange(len(values)) / 25, np.array(values, dtype=np.float32)
    for start in range(0, len(values), piece):
        series.add(times_s[start : start + piece], scores[start : start + piece])
    table = series.table()
    assert len(table) <= 16 + 2
    assert (np.diff(table[:, 0]) >= 0).all()
    known = scores[~np.isnan(scores)]
    if len(known):
        assert (np.nanmin(table[:, 1]), np.nanmax(table[:, 1])) == (known.min(), known.max())
    for time_s, score in table:
        np.testing.assert_equal(score, float(scores[round(time_s * 25)]))


@given(SCORES)
def test_merged_segments_cover_the_same_time_and_keep_the_highest_with_its_reason(values: list[float]) -> None:
    series = SegmentSeries(["key"], max_rows=8)
    for number, value in enumerate(values):
        series.add(number, number + 1, value, {"key": value}, str(number))
    table, reasons = series.table(), series.reasons
    assert len(table) == len(reasons) <= 8
    if values:
        assert (table[0, 0], table[-1, 1]) == (0, len(values))
    assert (table[1:, 0] == table[:-1, 1]).all()
    np.testing.assert_equal(table[:, 2], [values[int(reason)] for reason in reasons])
    if not all(map(math.isnan, values)):
        assert np.nanmax(table[:, 2]) == np.nanmax(values)


def test_an_unknown_context_has_no_score() -> None:
    series = SegmentSeries(["key", "temporal"])
    series.add(0, 1, 0.5, {"key": 0.5}, "")
    np.testing.assert_equal(series.table(), [[0, 1, 0.5, 0.5, math.nan]])
