"""AUC of mixes of contexts: fused and smoothed timelines against labels."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from anyanomaly_demo.measure import auc, auc_per_text, fuse_contexts
from anyanomaly_demo.search_settings import CONTEXTS, SELECTOR, SMOOTH_S

from anyanomaly.types import FloatArray, Timeline, Video


def timeline(text: str, **contexts: list[float]) -> Timeline:
    series: Mapping[str, FloatArray] = {name: np.array(values, np.float32) for name, values in contexts.items()}
    n_frames = len(next(iter(series.values())))
    blank = np.zeros(n_frames, np.float32)
    video = Video("v", "v.mp4", 10.0, n_frames, 8, 8)
    return Timeline(video, text, 0, np.arange(n_frames) / 10, blank, blank.copy(), series)


def test_contexts_are_weighted_and_missing_scores_skipped() -> None:
    scores = fuse_contexts(
        timeline("car", key=[0.0, 1.0, np.nan], temporal=[1.0, 1.0, 0.5]), {"key": 3, "temporal": 1}, 0.0
    )
    assert scores.tolist() == pytest.approx([0.25, 1.0, 0.5])


def test_a_context_without_a_weight_is_not_fused() -> None:
    scores = fuse_contexts(timeline("car", key=[0.2, 0.4], temporal=[1.0, 1.0]), {"key": 1.0}, 0.0)
    assert scores.tolist() == pytest.approx([0.2, 0.4])


def test_all_frames_of_all_texts_count_together() -> None:
    labels = {("v", "car"): np.array([False] * 20 + [True] * 20), ("v", "dog"): np.zeros(40, np.bool_)}
    good = timeline("car", key=[0.1] * 20 + [0.9] * 20)
    loud = timeline("dog", key=[0.95] * 40)
    assert auc([good], labels, {"key": 1.0}) == 1.0
    assert auc([good, loud], labels, {"key": 1.0}) == pytest.approx(1 / 3, abs=0.05)
    assert auc_per_text([good], labels, {"key": 1.0}) == {"car": 1.0}


def test_one_label_only_has_no_auc() -> None:
    labels = {("v", "dog"): np.zeros(4, np.bool_)}
    assert np.isnan(auc([timeline("dog", key=[0.1, 0.2, 0.3, 0.4])], labels, {"key": 1.0}))


def test_the_recipe_on_demo_clips_has_the_settings_of_the_demo() -> None:
    recipe = Path(__file__).parents[3] / "benchmarks" / "recipes" / "demo-s4.toml"
    config = tomllib.loads(recipe.read_text())["config"]
    assert (config["selector"], config["context"]) == (SELECTOR, CONTEXTS)
    assert config["run"]["smooth_seconds"] == SMOOTH_S
