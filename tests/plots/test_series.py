"""Long curves become short ones that keep their extremes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anyanomaly.plots.series import Series, reduce_points

VALUES = arrays(np.float32, st.integers(1, 400), elements=st.floats(0, 1, width=32) | st.just(np.float32("nan")))


@settings(max_examples=60)
@given(VALUES, st.integers(4, 64), st.integers(1, 50))
def test_extremes_stay_at_their_times(values, max_points: int, piece: int) -> None:
    times_s = np.arange(len(values)) / 25 + 3
    series = Series(max_points)
    for start in range(0, len(values), piece):
        series.add(times_s[start : start + piece], values[start : start + piece])
    shown_s, shown = series.points()
    assert len(shown) <= max(max_points, 2)
    assert (np.diff(shown_s) > 0).all()
    assert set(zip(shown_s.tolist(), np.nan_to_num(shown, nan=-1).tolist(), strict=True)) <= set(
        zip(times_s.tolist(), np.nan_to_num(values.astype(float), nan=-1).tolist(), strict=True)
    )
    if not np.isnan(values).all():
        assert np.nanmax(shown) == np.nanmax(values)
        assert np.nanmin(shown) == np.nanmin(values)


def test_a_long_series_is_bounded_and_even_over_time() -> None:
    series = Series(1000)
    for hour in range(24):
        times_s = hour * 3600 + np.arange(3600.0)
        series.add(times_s, np.sin(times_s))
    shown_s, _ = series.points()
    assert len(shown_s) <= 1000
    early, late = np.histogram(shown_s, 2, (0, 24 * 3600))[0]
    assert early > 0.5 * late


def test_short_series_stay_as_they_are() -> None:
    times_s, values = np.arange(10.0), np.arange(10.0) ** 2
    assert reduce_points(times_s, values, 10)[1].tolist() == values.tolist()


def test_a_gap_stays_a_gap() -> None:
    values = np.ones(1000)
    values[300:600] = np.nan
    _, shown = reduce_points(np.arange(1000.0), values, 50)
    assert np.isnan(shown).any()
