"""Protocols: noise is 0.5 where nothing is chosen on the labels under test, and more where it is."""

from __future__ import annotations

import numpy as np
import pytest

from anyanomaly.core.events import EventRule
from anyanomaly.errors import DatasetError
from anyanomaly.metrics import protocols, published, search
from anyanomaly.metrics.detections import detections
from anyanomaly.metrics.protocols import (
    Measured,
    Tables,
    cross_class,
    cross_video,
    fixed,
    fold_numbers,
    paper_oracle,
)
from anyanomaly.metrics.report import Judged, compare_reports, evaluate, mean_area
from anyanomaly.metrics.resampling import PairCounts
from anyanomaly.metrics.values import ClassScores, Mix, VideoScores
from tests.metrics.made import CONTEXTS, noise, runs

PAPER = Mix((0.6, 0.3, 0.1), 15)
LABELS = [runs(300, (60 + 5 * at, 120 + 5 * at)) if at % 2 else runs(240) for at in range(12)]


def seeing(labels: list[np.ndarray], name: str, context: int) -> ClassScores:
    """Return scores of which one context alone sees the event, and the others see noise."""
    blind = noise(labels, seed=context, name=name)
    videos = []
    for video in blind.videos:
        contexts = video.contexts.copy()
        contexts[context] = 0.2 * contexts[context] + 0.8 * video.labels
        videos.append(VideoScores(video.video, video.fps, video.labels, contexts))
    return ClassScores(name, CONTEXTS, tuple(videos))


def test_cross_takes_from_others_what_serves_them() -> None:
    classes = [seeing(LABELS, "a", 1), seeing(LABELS, "b", 1), seeing(LABELS, "c", 2)]
    tables = [Tables(each) for each in classes]
    first, _, last = cross_class(classes, tables)
    assert first.mixes[0].weights[1] + first.mixes[0].weights[2] > 0.5
    assert last.mixes[0].weights[1] > 0.5  # what a and b need, whatever c itself does
    assert last.area < 0.8 < cross_video(classes, tables, PAPER)[2].area


def test_the_table_of_a_mix_is_its_auc() -> None:
    scores = noise(LABELS, seed=5)
    tables = Tables(scores)
    for at in (0, 400, -1):
        assert tables.areas[at, 0, 0] == pytest.approx(fixed([scores], tables.options[at])[0].area, abs=1e-3)


def test_a_blink_of_an_event_is_left_where_frames_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "N_ENOUGH", 500)
    monkeypatch.setattr(protocols, "SIGMAS", (15,))
    monkeypatch.setattr(published, "SIGMAS", (15,))
    labels = [runs(600, (101, 103)), *[runs(480) for _ in range(4)]]
    assert [search.stride(np.concatenate(each)) for each in (labels, [runs(2520, (3, 90))])] == [2, 4]
    report = evaluate([noise(labels, seed=1, name="a"), noise(LABELS, seed=2, name="b")], PAPER, EventRule())
    assert not [found for each in report.protocols.values() for found in each if np.isnan(found.measured.null).any()]


def test_each_fold_gets_videos_with_and_without_the_event() -> None:
    folds = fold_numbers(LABELS)
    with_event = [fold for fold, labels in zip(folds, LABELS, strict=True) if labels.any()]
    assert set(with_event) == {0, 1, 2, 3, 4}


def test_an_event_of_one_video_is_measured_with_the_runs_own_mix_there() -> None:
    scores = noise([runs(240, (50, 90)), runs(240), runs(240)], seed=0)
    (found,) = cross_video([scores], [Tables(scores)], PAPER)
    assert found.n_blind == 1
    assert found.mixes[0] == PAPER


def with_labels(scores: ClassScores, labels: list[np.ndarray]) -> ClassScores:
    """Return the same scores with other labels."""
    videos = [VideoScores(v.video, v.fps, each, v.contexts) for v, each in zip(scores.videos, labels, strict=True)]
    return ClassScores(scores.name, CONTEXTS, tuple(videos))


def test_what_is_measured_has_no_say_in_what_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "SIGMAS", (5, 25))
    first, second = noise(LABELS, seed=1, name="a"), noise(LABELS, seed=2, name="b")
    turned = [each[::-1].copy() for each in LABELS]
    chosen = [
        cross_class(each, [Tables(x) for x in each]) for each in ([first, second], [with_labels(first, turned), second])
    ]
    assert chosen[0][0].mixes == chosen[1][0].mixes
    assert chosen[0][1].mixes != chosen[1][1].mixes
    folds = fold_numbers(LABELS)
    for fold in range(5):
        other = with_labels(first, [turned[at] if folds[at] == fold else each for at, each in enumerate(LABELS)])
        (before,), (after,) = (cross_video([each], [Tables(each)], PAPER) for each in (first, other))
        assert before.mixes[fold] == after.mixes[fold]
        assert before.mixes != after.mixes


def test_noise_is_chance_without_a_choice_and_better_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "SIGMAS", (15,))  # one, for time: benchmarks/speed/evaluation.py takes all
    monkeypatch.setattr(published, "SIGMAS", (15,))
    areas: dict[str, list[float]] = {}
    for seed in range(24):
        classes = [noise(LABELS, seed=1000 * at + seed, name=name) for at, name in enumerate("ab")]
        tables = [Tables(each) for each in classes]
        for name, found in (
            ("fixed", fixed(classes, PAPER)),
            ("cross-class", cross_class(classes, tables)),
            ("cross-video", cross_video(classes, tables, PAPER)),
            ("paper-oracle", paper_oracle(classes)),
        ):
            areas.setdefault(name, []).extend(each.area for each in found)
            if name == "paper-oracle":
                areas.setdefault("floor", []).extend(float(np.mean(each.null)) for each in found)
    error = {name: np.std(each) / len(each) ** 0.5 for name, each in areas.items()}
    assert max(error.values()) < 0.015
    for name in ("fixed", "cross-class", "cross-video"):
        assert np.mean(areas[name]) == pytest.approx(0.5, abs=3 * error[name]), name
    inflated = np.mean(areas["paper-oracle"])
    assert inflated > 0.5 + 6 * error["paper-oracle"]
    assert np.mean(areas["floor"]) == pytest.approx(inflated, abs=3 * error["paper-oracle"])


def test_intervals_hold_chance_also_where_few_videos_show_the_event() -> None:
    one, three = ([runs(480, (200, 299)) if at < n else runs(480) for at in range(10)] for n in (1, 3))
    held = []
    for seed in range(60):
        classes = [noise(one, seed=seed, name="a"), noise(three, seed=100 + seed, name="b")]
        judged = evaluate(classes, PAPER, EventRule(), ["fixed"], seed).protocols["fixed"]
        held += [
            bounds and bounds[0] <= 0.5 <= bounds[1] for bounds in (*(x.interval for x in judged), mean_area(judged)[1])
        ]
    assert sum(map(bool, held)) / len(held) >= 0.9  # without `widened`: 28 % of the first class


def test_the_mean_of_classes_that_chance_moves_together_is_no_surer_than_one_of_them() -> None:
    luck = np.random.default_rng(0)
    together = luck.normal(0.5, 0.05, 50)
    pairs = PairCounts([], [])
    judged = [Judged(Measured("a", 0.5, (), (), null), pairs, luck.normal(0.5, 0.05, 4000)) for null in [together] * 4]
    bounds = mean_area(judged)[1]
    assert bounds is not None
    assert bounds[1] - bounds[0] == pytest.approx(2 * 1.96 * together.std(), rel=0.05)


def test_a_report_omits_what_has_no_auc() -> None:
    all_positive = noise([np.ones(240, np.bool_)], seed=1, name="always")
    report = evaluate([seeing(LABELS, "a", 0), all_positive], PAPER, EventRule())
    assert set(report.protocols) == {"fixed", "cross-class", "cross-video", "paper", "paper-oracle"}
    (judged,) = report.protocols["fixed"]
    assert judged.measured.area > 0.9
    assert judged.interval is not None
    assert judged.interval[0] < judged.measured.area < judged.interval[1]
    (searched,) = report.protocols["paper-oracle"]
    assert searched.measured.key_alone is not None
    assert searched.measured.key_alone.area > 0.9
    assert not report.protocols["cross-class"]
    assert "Class 'always' has no AUC: its 240 labels are all 1." in report.notes


def test_events_found_late_and_false_alarms() -> None:
    video = VideoScores("v", 10.0, runs(100, (20, 40), (70, 80)), np.zeros((1, 100)))
    scores = np.zeros(100, np.float32)
    scores[25:45] = scores[55:60] = 1
    found = detections([video], [scores], EventRule(0.5, 0.2, 0.1))
    assert (found.n_events, found.n_found, found.n_false) == (2, 1, 1)
    assert found.delays_s == pytest.approx((0.5,))
    assert found.false_per_hour == pytest.approx(360)


def test_runs_without_a_common_class_are_not_compared() -> None:
    ours = evaluate([seeing(LABELS, "a", 0)], PAPER, EventRule(), ["fixed"])
    theirs = evaluate([seeing(LABELS, "b", 0)], PAPER, EventRule(), ["fixed"])
    with pytest.raises(DatasetError, match="no class of the same videos"):
        compare_reports(ours, theirs)
    worse = evaluate([noise(LABELS, seed=0, name="a")], PAPER, EventRule(), ["fixed"])
    _, mean = compare_reports(ours, worse)
    assert mean.interval is not None
    assert mean.interval[0] > 0
