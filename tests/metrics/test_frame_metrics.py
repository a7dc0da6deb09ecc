"""AUC, AP, EER and F1 equal their definitions for any scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from anyanomaly.metrics.frame_metrics import average_precision, best_f1, equal_error_rate, roc_auc, video_aucs
from anyanomaly.metrics.resampling import PairCounts
from anyanomaly.metrics.search import AucTable

rows_of_both_labels = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: len({label for _, label in rows}) == 2
)


def split(rows: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in rows]) / 6, np.array([label for _, label in rows])


@given(rows_of_both_labels, st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_counting_pairs_of_videos_is_scikit_learns_auc_with_ties(rows: list[tuple[int, bool]], n_videos: int) -> None:
    scores, labels = split(rows)
    counts = PairCounts(np.array_split(scores, n_videos), np.array_split(labels, n_videos))
    assert counts.auc == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@given(rows_of_both_labels)
@settings(deadline=None, max_examples=40)
def test_counting_in_bins_is_scikit_learns_auc_with_ties(rows: list[tuple[int, bool]]) -> None:
    scores, labels = split(rows)
    assert video_aucs([scores], [labels])[0] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert AucTable(labels, 0).aucs(scores)[0, 0] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@given(rows_of_both_labels)
@settings(deadline=None, max_examples=40)
def test_only_the_order_of_scores_counts(rows: list[tuple[int, bool]]) -> None:
    scores, labels = split(rows)
    for measure in (roc_auc, average_precision, equal_error_rate, lambda s, y: best_f1(s, y)[0]):
        assert measure(np.exp(3 * scores) - 7, labels) == pytest.approx(measure(scores, labels), abs=1e-12)
    assert roc_auc(-scores, labels) == pytest.approx(1 - roc_auc(scores, labels), abs=1e-12)


@given(rows_of_both_labels)
@settings(deadline=None, max_examples=40)
def test_best_f1_is_that_of_its_threshold_and_of_no_other_higher(rows: list[tuple[int, bool]]) -> None:
    scores, labels = split(rows)
    value, threshold = best_f1(scores, labels)
    assert value == pytest.approx(f1_score(labels, scores >= threshold))
    assert value == pytest.approx(max(f1_score(labels, scores >= score) for score in scores))


def test_equal_error_rate() -> None:
    labels = np.array([False] * 4 + [True] * 4)
    assert equal_error_rate(np.array([0.1, 0.2, 0.3, 0.8, 0.4, 0.7, 0.9, 1.0]), labels) == pytest.approx(0.25)
    assert equal_error_rate(labels.astype(float), labels) == 0
    assert equal_error_rate(np.zeros(8), labels) == 0.5


def test_frames_without_a_score_are_dropped_and_one_label_has_no_figure() -> None:
    scores, labels = np.array([0.1, np.nan, 0.9]), np.array([False, True, True])
    assert roc_auc(scores, labels) == 1
    assert np.isnan(roc_auc(scores[:2], labels[:2]))
    assert np.isnan(average_precision(scores[:1], labels[:1]))


def test_macro_auc_with_padding_counts_videos_that_have_one_label_only() -> None:
    series = [np.array([0.9, 0.1]), np.array([0.3, 0.2])]
    labels = [np.array([True, False]), np.array([False, False])]
    assert np.isnan(video_aucs(series, labels)[1])
    assert video_aucs(series, labels, padded=True) == [1.0, 1.0]


def test_bins_are_fine_enough_to_choose_a_mix() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.random(100) < 0.2, 100)
    scores = np.convolve(rng.random(10_000), np.ones(50) / 50, mode="same") + 0.01 * labels
    assert video_aucs([scores], [labels])[0] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert AucTable(labels, 0).aucs(scores)[0, 0] == pytest.approx(roc_auc_score(labels, scores), abs=1e-4)
