"""Intervals, comparisons and shifted labels: what drawing videos and shifting labels by hand gives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anyanomaly.metrics.resampling import PairCounts, compare, draw_videos, interval, widened
from anyanomaly.metrics.search import AreaTable, even_shifts
from tests.metrics.made import runs

rng = np.random.default_rng(1)
LABELS = [runs(40, (5, 15)), runs(30), runs(50, (10, 20), (40, 50))]
SERIES = [np.round(rng.random(len(each)) + 0.3 * each, 1) for each in LABELS]


def test_the_auc_of_a_draw_is_that_of_the_videos_drawn() -> None:
    draws = draw_videos(3, 0, 50)
    areas = PairCounts(SERIES, LABELS).areas(draws)
    for times, value in zip(draws, areas, strict=True):
        scores, labels = (
            np.concatenate([np.tile(x, n) for x, n in zip(of, times, strict=True)]) for of in (SERIES, LABELS)
        )
        if labels.any():
            assert value == pytest.approx(roc_auc_score(labels, scores))
        else:
            assert np.isnan(value)


def test_missing_scores_take_no_part() -> None:
    holed = [np.where(np.arange(len(each)) % 7 == 0, np.nan, each) for each in SERIES]
    known = ~np.isnan(np.concatenate(holed))
    expected = roc_auc_score(np.concatenate(LABELS)[known], np.concatenate(holed)[known])
    assert PairCounts(holed, LABELS).area == pytest.approx(expected)


def test_an_interval_needs_draws_that_have_an_auc() -> None:
    assert interval(np.array([0.1, np.nan, np.nan])) is None
    assert interval(np.linspace(0, 1, 1001)) == pytest.approx((0.025, 0.975))


def test_draws_that_spread_less_than_chance_are_moved_until_they_do_not() -> None:
    luck, null = np.random.default_rng(0), np.linspace(0.3, 0.7, 50)
    close, missing = np.full(20_000, 0.5), np.full(20_000, np.nan)
    close[::3] = np.nan  # a draw without the event
    assert widened(close, 0.5, null, luck).std() == pytest.approx(null.std(), rel=0.03)
    assert 0.8 * null.std() < widened(close + 0.3, 0.8, null, luck).std() < null.std()
    wide = np.linspace(0.1, 0.9, 100)
    assert (widened(wide, 0.5, null, luck) == wide).all()
    perfect = interval(widened(np.ones(20_000), 1.0, null, luck))
    assert perfect is not None
    assert 0.8 < perfect[0] < 0.9  # eighteen coins that fell alike
    assert perfect[1] == 1
    assert np.isnan(widened(missing, 0.5, null, luck)).all()


def test_a_run_differs_from_a_worse_one_and_not_from_itself() -> None:
    labels = [runs(60, (at, at + 15)) for at in range(0, 40, 2)]
    good = PairCounts([rng.random(60) + 0.8 * each for each in labels], labels)
    poor = PairCounts([rng.random(60) + 0.2 * each for each in labels], labels)
    draws = draw_videos(len(labels), 0)
    better = compare([good], [poor], [draws])
    assert better.interval is not None
    assert better.interval[0] > 0
    assert better.p < 0.01
    same = compare([good], [good], [draws])
    assert (same.difference, same.interval, same.p) == (0, (0, 0), 1)


def test_shifted_labels_and_parts_of_the_frames() -> None:
    labels, scores = np.concatenate(LABELS), np.concatenate(SERIES)
    kept = np.arange(len(labels)) % 3 > 0
    areas = AreaTable(labels, 11, [kept]).areas(scores)
    assert areas.shape == (2, 12)
    for at, shift in enumerate(even_shifts(len(labels), 11)):
        shifted = np.roll(labels, shift)
        assert areas[0, at] == pytest.approx(roc_auc_score(shifted, scores))
        assert areas[1, at] == pytest.approx(roc_auc_score(shifted[kept], scores[kept]))
