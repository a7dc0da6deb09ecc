"""The published evaluation, reproduced on its own figures, and the fast search against trying everything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anyanomaly.metrics import published
from anyanomaly.metrics.published import measure_published, published_weights, search_published
from anyanomaly.metrics.values import ClassScores, Mix, VideoScores
from tests.metrics.made import CONTEXTS, noise, runs
from tests.support.shared import shared

FOLDERS = {"avenue": "c-avenue_labels", "shtech": "c-shtech_labels"}


def labelled(folder: Path, row: dict[str, Any]) -> ClassScores:
    """Return an oracle row's scores with the published labels, cut to whole segments as published."""
    import h5py

    name = f"{'m_' if row['multiple'] else ''}{row['dataset']}_{row['type']}_label.h5"
    videos = []
    with h5py.File(folder / FOLDERS[row["dataset"]] / name) as file:
        for video, scores in zip(sorted(file), row["segment_scores"], strict=True):
            contexts = np.repeat(np.array([scores[each] for each in "abc"]), 24, axis=1)
            labels = np.asarray(file[video]).ravel().astype(np.bool_)
            videos.append(VideoScores(video, 24.0, labels[: contexts.shape[1]], contexts))
    return ClassScores(row["type"], CONTEXTS, tuple(videos))


def test_every_row_of_the_published_code_is_reproduced() -> None:
    rows = json.loads(shared("oracle", "evaluation.json").read_text())
    folder = shared("data", "c-vad")
    assert {(row["multiple"], row["grid_search"]) for row in rows} >= {(False, False), (True, True), (False, True)}
    for row in rows:
        scores = labelled(folder, row)
        assert sum(map(len, scores.labels)) == row["frames"]
        assert sum(each.sum() for each in scores.labels) == row["positives"]
        if row["grid_search"]:
            alone, whole = search_published(scores, [(1.0, 0.0, 0.0)]), search_published(scores)
        else:
            alone = measure_published(scores, Mix((1.0, 0.0, 0.0), 15))
            whole = measure_published(scores, Mix((0.6, 0.3, 0.1), 15))
        assert (alone.area, whole.area) == pytest.approx((row["key_auc"], row["fused_auc"]), abs=1e-9)
        assert (alone.mix.sigma, whole.mix.sigma) == (row["key_sigma"], row["sigma"])
        assert list(whole.mix.weights) == row["weights"]


def test_floating_point_drops_six_weights_as_published() -> None:
    assert len(published_weights(3)) == 60
    assert all(0 <= each[2] <= 1 for each in published_weights(3))
    assert len(published_weights(2)) == 11


def test_the_fast_search_finds_what_trying_everything_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "SIGMAS", range(1, 30, 9))
    scores = noise([runs(480, (100, 190)), runs(300), runs(360, (0, 60), (300, 360))], seed=3)
    fast = search_published(scores)
    every = [measure_published(scores, Mix(w, s)) for s in published.SIGMAS for w in published_weights(3)]
    best = max(every, key=lambda each: each.area)
    assert (fast.area, fast.mix) == (best.area, best.mix)


def test_a_score_that_could_not_be_read_counts_0_as_published() -> None:
    labels = [runs(240, (100, 140))]
    scores = noise(labels, seed=0)
    holed = np.where(scores.videos[0].contexts < 0.2, np.nan, scores.videos[0].contexts)
    zeros = np.nan_to_num(holed)
    mix = Mix((0.6, 0.3, 0.1), 15)
    with_holes, with_zeros = (
        measure_published(ClassScores("c", CONTEXTS, (VideoScores("v", 24.0, labels[0], each),)), mix)
        for each in (holed, zeros)
    )
    assert with_holes.area == with_zeros.area
