"""Synthetic scores and labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anyanomaly.metrics.values import BoolArray, ClassScores, VideoScores

CONTEXTS = ("key", "position", "temporal")


def make_noise(labels: Sequence[BoolArray], seed: int, name: str = "noise", length: int = 24) -> ClassScores:
    """Return scores that are unrelated to the labels: in tenths, constant over segments of ``length`` frames."""
    rng = np.random.default_rng(seed)
    videos = []
    for number, video_labels in enumerate(labels):
        segment_scores = np.round(rng.random((3, -(-len(video_labels) // length))) ** 2, 1)
        contexts = np.repeat(segment_scores, length, axis=1)[:, : len(video_labels)]
        videos.append(VideoScores(f"{number:02}", 24.0, video_labels, contexts))
    return ClassScores(name, CONTEXTS, tuple(videos))


def make_labels(n_frames: int, *spans: tuple[int, int]) -> BoolArray:
    """Return labels (n_frames,) with the event in ``spans``."""
    labels = np.zeros(n_frames, np.bool_)
    for start, stop in spans:
        labels[start:stop] = True
    return labels
