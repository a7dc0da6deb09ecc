"""Scores of contexts become one series as in a run; labels that do not fit are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from anyanomaly.core.fuse import fuse
from anyanomaly.errors import DatasetError
from anyanomaly.metrics.values import ClassScores, Mix, VideoScores, apply_mix, fuse_frames
from tests.metrics.synthetic import CONTEXTS, make_labels


def test_fusion_is_that_of_a_run_also_where_scores_are_missing() -> None:
    rng = np.random.default_rng(0)
    contexts = np.where(rng.random((3, 200)) < 0.4, np.nan, rng.random((3, 200)))
    weights = (0.6, 0.0, 0.1)
    expected = [
        fuse(dict(zip(CONTEXTS, row, strict=True)), dict(zip(CONTEXTS, weights, strict=True))) for row in contexts.T
    ]
    assert fuse_frames(contexts, weights).tolist() == pytest.approx(expected, nan_ok=True)
    assert any(math.isnan(value) for value in expected)


def test_smoothing_stays_within_a_video_and_seconds_follow_the_frame_rate() -> None:
    step = VideoScores("a", 10.0, make_labels(40), np.repeat([[0.0, 1.0]], 20, axis=1))
    flat = VideoScores("b", 20.0, make_labels(40), np.zeros((1, 40)))
    series = apply_mix([step, flat], Mix((1.0,), 0.5, "seconds"))
    assert 0 < series[0][19] < 0.5
    assert not series[1].any()
    assert Mix((1.0,), 0.5, "seconds").sigma_frames(20.0) == 10


def test_labels_of_another_length_than_scores_name_the_video() -> None:
    with pytest.raises(DatasetError, match=r"Video '07' has 30 labels and 24 frames with scores"):
        VideoScores("07", 24.0, make_labels(30), np.zeros((3, 24)))


def test_a_class_with_one_label_only_says_which() -> None:
    video = VideoScores("07", 24.0, np.ones(1200, np.bool_), np.zeros((3, 1200)))
    assert ClassScores("stroller", CONTEXTS, (video,)).problem == (
        "Class 'stroller' has no AUC: its 1,200 labels are all 1."
    )
