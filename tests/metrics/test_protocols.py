"""Protocols: noise is 0.5 where nothing is chosen on the labels under test, and more where it is."""

from __future__ import annotations

import numpy as np
import pytest

from anyanomaly.core.events import EventRule
from anyanomaly.errors import DatasetError
from anyanomaly.metrics import protocols, published, search
from anyanomaly.metrics.detections import match_events
from anyanomaly.metrics.estimates import Estimate, compare_estimates, estimate_classes, mean_auc
from anyanomaly.metrics.protocols import (
    Measurement,
    MixTable,
    assign_folds,
    measure_cross_class,
    measure_cross_video,
    measure_fixed,
    measure_paper_oracle,
)
from anyanomaly.metrics.resampling import PairCounts
from anyanomaly.metrics.values import ClassScores, Mix, VideoScores
from tests.metrics.synthetic import CONTEXTS, make_labels, make_noise

PAPER = Mix((0.6, 0.3, 0.1), 15)
LABELS = [make_labels(300, (60 + 5 * video, 120 + 5 * video)) if video % 2 else make_labels(240) for video in range(12)]


def make_scores(labels: list[np.ndarray], name: str, context: int) -> ClassScores:
    """Return scores in which one context shows the event and the others are noise."""
    noise = make_noise(labels, seed=context, name=name)
    videos = []
    for video in noise.videos:
        contexts = video.contexts.copy()
        contexts[context] = 0.2 * contexts[context] + 0.8 * video.labels
        videos.append(VideoScores(video.video, video.fps, video.labels, contexts))
    return ClassScores(name, CONTEXTS, tuple(videos))


def test_cross_protocols_choose_what_is_best_for_the_others() -> None:
    classes = [make_scores(LABELS, "a", 1), make_scores(LABELS, "b", 1), make_scores(LABELS, "c", 2)]
    tables = [MixTable(scores) for scores in classes]
    first, _, last = measure_cross_class(classes, tables)
    assert first.mixes[0].weights[1] + first.mixes[0].weights[2] > 0.5
    assert last.mixes[0].weights[1] > 0.5  # best for a and b, whatever is best for c
    assert last.auc < 0.8 < measure_cross_video(classes, tables, PAPER)[2].auc


def test_the_table_holds_the_auc_of_each_mix() -> None:
    scores = make_noise(LABELS, seed=5)
    table = MixTable(scores)
    for index in (0, 400, -1):
        assert table.aucs[index, 0, 0] == pytest.approx(measure_fixed([scores], table.mixes[index])[0].auc, abs=1e-3)


def test_a_very_short_event_remains_where_frames_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MIN_FRAMES", 500)
    monkeypatch.setattr(protocols, "SIGMAS", (15,))
    monkeypatch.setattr(published, "PUBLISHED_SIGMAS", (15,))
    labels = [make_labels(600, (101, 103)), *[make_labels(480) for _ in range(4)]]
    assert search.frame_stride(np.concatenate(labels)) == 2
    assert search.frame_stride(make_labels(2520, (3, 90))) == 4
    classes = [make_noise(labels, seed=1, name="a"), make_noise(LABELS, seed=2, name="b")]
    for estimates in estimate_classes(classes, PAPER, EventRule()).protocols.values():
        assert not any(np.isnan(estimate.measurement.null).any() for estimate in estimates)


def test_each_fold_has_videos_with_and_without_the_event() -> None:
    folds = assign_folds(LABELS)
    folds_with_event = [fold for fold, labels in zip(folds, LABELS, strict=True) if labels.any()]
    assert set(folds_with_event) == {0, 1, 2, 3, 4}


def test_an_event_of_one_video_is_measured_with_the_runs_own_mix() -> None:
    scores = make_noise([make_labels(240, (50, 90)), make_labels(240), make_labels(240)], seed=0)
    (measurement,) = measure_cross_video([scores], [MixTable(scores)], PAPER)
    assert measurement.n_fallback_folds == 1
    assert measurement.mixes[0] == PAPER


def replace_labels(scores: ClassScores, labels: list[np.ndarray]) -> ClassScores:
    videos = [
        VideoScores(video.video, video.fps, video_labels, video.contexts)
        for video, video_labels in zip(scores.videos, labels, strict=True)
    ]
    return ClassScores(scores.name, CONTEXTS, tuple(videos))


def test_labels_under_test_do_not_affect_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "SIGMAS", (5, 25))
    first, second = make_noise(LABELS, seed=1, name="a"), make_noise(LABELS, seed=2, name="b")
    reversed_labels = [labels[::-1].copy() for labels in LABELS]
    before, after = (
        measure_cross_class(classes, [MixTable(scores) for scores in classes])
        for classes in ([first, second], [replace_labels(first, reversed_labels), second])
    )
    assert before[0].mixes == after[0].mixes
    assert before[1].mixes != after[1].mixes
    folds = assign_folds(LABELS)
    for fold in range(5):
        labels = [reversed_labels[video] if folds[video] == fold else LABELS[video] for video in range(len(LABELS))]
        (original,), (changed,) = (
            measure_cross_video([scores], [MixTable(scores)], PAPER)
            for scores in (first, replace_labels(first, labels))
        )
        assert original.mixes[fold] == changed.mixes[fold]
        assert original.mixes != changed.mixes


def test_noise_has_chance_auc_without_a_choice_on_the_labels_and_more_with_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocols, "SIGMAS", (15,))  # one, for time: benchmarks/speed/evaluation.py takes all
    monkeypatch.setattr(published, "PUBLISHED_SIGMAS", (15,))
    aucs: dict[str, list[float]] = {}
    for seed in range(24):
        classes = [make_noise(LABELS, seed=1000 * number + seed, name=name) for number, name in enumerate("ab")]
        tables = [MixTable(scores) for scores in classes]
        for name, measurements in (
            ("fixed", measure_fixed(classes, PAPER)),
            ("cross-class", measure_cross_class(classes, tables)),
            ("cross-video", measure_cross_video(classes, tables, PAPER)),
            ("paper-oracle", measure_paper_oracle(classes)),
        ):
            aucs.setdefault(name, []).extend(measurement.auc for measurement in measurements)
            if name == "paper-oracle":
                aucs.setdefault("null", []).extend(float(np.mean(measurement.null)) for measurement in measurements)
    error = {name: np.std(values) / len(values) ** 0.5 for name, values in aucs.items()}
    assert max(error.values()) < 0.015
    for name in ("fixed", "cross-class", "cross-video"):
        assert np.mean(aucs[name]) == pytest.approx(0.5, abs=3 * error[name]), name
    inflated = np.mean(aucs["paper-oracle"])
    assert inflated > 0.5 + 6 * error["paper-oracle"]
    assert np.mean(aucs["null"]) == pytest.approx(inflated, abs=3 * error["paper-oracle"])


def test_intervals_cover_chance_also_where_few_videos_show_the_event() -> None:
    labels_of_one, labels_of_three = (
        [make_labels(480, (200, 299)) if video < n_videos else make_labels(480) for video in range(10)]
        for n_videos in (1, 3)
    )
    is_covered = []
    for seed in range(60):
        one, three = make_noise(labels_of_one, seed, "a"), make_noise(labels_of_three, 100 + seed, "b")
        estimates = estimate_classes([one, three], PAPER, EventRule(), ["fixed"], seed).protocols["fixed"]
        intervals = [*(estimate.interval for estimate in estimates), mean_auc(estimates)[1]]
        is_covered += [interval is not None and interval[0] <= 0.5 <= interval[1] for interval in intervals]
    assert sum(is_covered) / len(is_covered) >= 0.9  # without `widen_to_chance`: 28 % of the first class


def test_the_mean_of_classes_that_vary_together_is_no_more_certain_than_one_of_them() -> None:
    rng = np.random.default_rng(0)
    null = rng.normal(0.5, 0.05, 50)
    estimates = [
        Estimate(Measurement("a", 0.5, (), (), null), PairCounts([], []), rng.normal(0.5, 0.05, 4000)) for _ in range(4)
    ]
    interval = mean_auc(estimates)[1]
    assert interval is not None
    assert interval[1] - interval[0] == pytest.approx(2 * 1.96 * null.std(), rel=0.05)


def test_a_class_without_an_auc_is_noted_and_skipped() -> None:
    all_positive = make_noise([np.ones(240, np.bool_)], seed=1, name="always")
    estimates = estimate_classes([make_scores(LABELS, "a", 0), all_positive], PAPER, EventRule())
    assert set(estimates.protocols) == {"fixed", "cross-class", "cross-video", "paper", "paper-oracle"}
    (estimate,) = estimates.protocols["fixed"]
    assert estimate.measurement.auc > 0.9
    assert estimate.interval is not None
    assert estimate.interval[0] < estimate.measurement.auc < estimate.interval[1]
    (searched,) = estimates.protocols["paper-oracle"]
    assert searched.measurement.first_context_alone is not None
    assert searched.measurement.first_context_alone.auc > 0.9
    assert not estimates.protocols["cross-class"]
    assert "Class 'always' has no AUC: its 240 labels are all 1." in estimates.notes


def test_delays_and_false_alarms_of_detected_events() -> None:
    video = VideoScores("v", 10.0, make_labels(100, (20, 40), (70, 80)), np.zeros((1, 100)))
    scores = np.zeros(100, np.float32)
    scores[25:45] = scores[55:60] = 1
    detections = match_events([video], [scores], EventRule(0.5, 0.2, 0.1))
    assert (detections.n_labelled, detections.n_detected, detections.n_false_alarms) == (2, 1, 1)
    assert detections.delays_s == pytest.approx((0.5,))
    assert detections.false_alarms_per_hour == pytest.approx(360)


def test_runs_without_a_common_class_are_not_compared() -> None:
    ours = estimate_classes([make_scores(LABELS, "a", 0)], PAPER, EventRule(), ["fixed"])
    baseline = estimate_classes([make_scores(LABELS, "b", 0)], PAPER, EventRule(), ["fixed"])
    with pytest.raises(DatasetError, match="no class of the same videos"):
        compare_estimates(ours, baseline)
    worse = estimate_classes([make_noise(LABELS, seed=0, name="a")], PAPER, EventRule(), ["fixed"])
    _, mean = compare_estimates(ours, worse)
    assert mean.interval is not None
    assert mean.interval[0] > 0
