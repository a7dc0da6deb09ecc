"""Intervals, comparisons and shifted labels equal what resampling videos and shifting labels by hand gives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anyanomaly.metrics.resampling import (
    PairCounts,
    compare_paired,
    percentile_interval,
    resample_videos,
    widen_to_chance,
)
from anyanomaly.metrics.search import AucTable, circular_shifts
from tests.metrics.synthetic import make_labels

rng = np.random.default_rng(1)
LABELS = [make_labels(40, (5, 15)), make_labels(30), make_labels(50, (10, 20), (40, 50))]
SERIES = [np.round(rng.random(len(labels)) + 0.3 * labels, 1) for labels in LABELS]


def test_the_auc_of_a_resample_is_that_of_its_videos() -> None:
    resamples = resample_videos(3, 0, 50)
    aucs = PairCounts(SERIES, LABELS).aucs(resamples)
    for counts, auc in zip(resamples, aucs, strict=True):
        scores, labels = (
            np.concatenate([np.tile(array, count) for array, count in zip(arrays, counts, strict=True)])
            for arrays in (SERIES, LABELS)
        )
        if labels.any():
            assert auc == pytest.approx(roc_auc_score(labels, scores))
        else:
            assert np.isnan(auc)


def test_missing_scores_are_dropped() -> None:
    series = [np.where(np.arange(len(scores)) % 7 == 0, np.nan, scores) for scores in SERIES]
    has_score = ~np.isnan(np.concatenate(series))
    expected = roc_auc_score(np.concatenate(LABELS)[has_score], np.concatenate(series)[has_score])
    assert PairCounts(series, LABELS).auc == pytest.approx(expected)


def test_an_interval_needs_resamples_that_have_an_auc() -> None:
    assert percentile_interval(np.array([0.1, np.nan, np.nan])) is None
    assert percentile_interval(np.linspace(0, 1, 1001)) == pytest.approx((0.025, 0.975))


def test_resamples_that_vary_less_than_chance_are_widened() -> None:
    noise, null = np.random.default_rng(0), np.linspace(0.3, 0.7, 50)
    narrow, missing = np.full(20_000, 0.5), np.full(20_000, np.nan)
    narrow[::3] = np.nan  # resamples without the event
    assert widen_to_chance(narrow, 0.5, null, noise).std() == pytest.approx(null.std(), rel=0.03)
    assert 0.8 * null.std() < widen_to_chance(narrow + 0.3, 0.8, null, noise).std() < null.std()
    wide = np.linspace(0.1, 0.9, 100)
    assert (widen_to_chance(wide, 0.5, null, noise) == wide).all()
    perfect = percentile_interval(widen_to_chance(np.ones(20_000), 1.0, null, noise))
    assert perfect is not None
    assert 0.8 < perfect[0] < 0.9  # as for eighteen heads of eighteen tosses
    assert perfect[1] == 1
    assert np.isnan(widen_to_chance(missing, 0.5, null, noise)).all()


def test_a_run_differs_from_a_worse_one_and_not_from_itself() -> None:
    labels = [make_labels(60, (start, start + 15)) for start in range(0, 40, 2)]
    good = PairCounts([rng.random(60) + 0.8 * video_labels for video_labels in labels], labels)
    poor = PairCounts([rng.random(60) + 0.2 * video_labels for video_labels in labels], labels)
    resamples = resample_videos(len(labels), 0)
    better = compare_paired([good], [poor], [resamples])
    assert better.interval is not None
    assert better.interval[0] > 0
    assert better.p < 0.01
    same = compare_paired([good], [good], [resamples])
    assert (same.difference, same.interval, same.p) == (0, (0, 0), 1)


def test_the_table_holds_shifted_labels_and_subsets_of_the_frames() -> None:
    labels, scores = np.concatenate(LABELS), np.concatenate(SERIES)
    subset = np.arange(len(labels)) % 3 > 0
    aucs = AucTable(labels, 11, [subset]).aucs(scores)
    assert aucs.shape == (2, 12)
    for column, shift in enumerate(circular_shifts(len(labels), 11)):
        shifted = np.roll(labels, shift)
        assert aucs[0, column] == pytest.approx(roc_auc_score(shifted, scores))
        assert aucs[1, column] == pytest.approx(roc_auc_score(shifted[subset], scores[subset]))
