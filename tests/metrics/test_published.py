"""The published evaluation gives its own figures, and the fast search finds what an exhaustive search finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anyanomaly.metrics import published
from anyanomaly.metrics.published import measure_published, published_weights, search_published
from anyanomaly.metrics.values import ClassScores, Mix, VideoScores
from tests.metrics.synthetic import CONTEXTS, make_labels, make_noise
from tests.support.shared import shared

FOLDERS = {"avenue": "c-avenue_labels", "shtech": "c-shtech_labels"}


def load_oracle_scores(folder: Path, row: dict[str, Any]) -> ClassScores:
    """Return an oracle row's scores with the published labels, cut to whole segments as published."""
    import h5py

    name = f"{'m_' if row['multiple'] else ''}{row['dataset']}_{row['type']}_label.h5"
    videos = []
    with h5py.File(folder / FOLDERS[row["dataset"]] / name) as file:
        for video, scores in zip(sorted(file), row["segment_scores"], strict=True):
            contexts = np.repeat(np.array([scores[context] for context in "abc"]), 24, axis=1)
            labels = np.asarray(file[video]).ravel().astype(np.bool_)
            videos.append(VideoScores(video, 24.0, labels[: contexts.shape[1]], contexts))
    return ClassScores(row["type"], CONTEXTS, tuple(videos))


def test_every_row_of_the_published_code_is_reproduced() -> None:
    rows = json.loads(shared("oracle", "evaluation.json").read_text())
    folder = shared("data", "c-vad")
    assert {(row["multiple"], row["grid_search"]) for row in rows} >= {(False, False), (True, True), (False, True)}
    for row in rows:
        scores = load_oracle_scores(folder, row)
        assert sum(map(len, scores.labels)) == row["frames"]
        assert sum(labels.sum() for labels in scores.labels) == row["positives"]
        if row["grid_search"]:
            alone, fused = search_published(scores, [(1.0, 0.0, 0.0)]), search_published(scores)
        else:
            alone = measure_published(scores, Mix((1.0, 0.0, 0.0), 15))
            fused = measure_published(scores, Mix((0.6, 0.3, 0.1), 15))
        assert (alone.auc, fused.auc) == pytest.approx((row["key_auc"], row["fused_auc"]), abs=1e-9)
        assert (alone.mix.sigma, fused.mix.sigma) == (row["key_sigma"], row["sigma"])
        assert list(fused.mix.weights) == row["weights"]


def test_floating_point_drops_six_weights_as_published() -> None:
    assert len(published_weights(3)) == 60
    assert all(0 <= triple[2] <= 1 for triple in published_weights(3))
    assert len(published_weights(2)) == 11


def test_the_fast_search_finds_what_an_exhaustive_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "PUBLISHED_SIGMAS", range(1, 30, 9))
    scores = make_noise([make_labels(480, (100, 190)), make_labels(300), make_labels(360, (0, 60), (300, 360))], seed=3)
    fast = search_published(scores)
    measurements = [
        measure_published(scores, Mix(weights, sigma))
        for sigma in published.PUBLISHED_SIGMAS
        for weights in published_weights(3)
    ]
    best = max(measurements, key=lambda measurement: measurement.auc)
    assert (fast.auc, fast.mix) == (best.auc, best.mix)


def test_an_unreadable_score_counts_as_0_as_published() -> None:
    labels = [make_labels(240, (100, 140))]
    scores = make_noise(labels, seed=0)
    contexts = np.where(scores.videos[0].contexts < 0.2, np.nan, scores.videos[0].contexts)
    zeros = np.nan_to_num(contexts)
    mix = Mix((0.6, 0.3, 0.1), 15)
    with_holes, with_zeros = (
        measure_published(ClassScores("c", CONTEXTS, (VideoScores("v", 24.0, labels[0], rows),)), mix)
        for rows in (contexts, zeros)
    )
    assert with_holes.auc == with_zeros.auc
