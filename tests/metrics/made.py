"""Made scores and labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anyanomaly.metrics.values import BoolArray, ClassScores, VideoScores

CONTEXTS = ("key", "position", "temporal")


def noise(labels: Sequence[BoolArray], seed: int, name: str = "noise", length: int = 24) -> ClassScores:
    """Return scores that know nothing of the labels: one draw in tenths per segment and context."""
    rng = np.random.default_rng(seed)
    videos = []
    for at, each in enumerate(labels):
        drawn = np.round(rng.random((3, -(-len(each) // length))) ** 2, 1)
        videos.append(VideoScores(f"{at:02}", 24.0, each, np.repeat(drawn, length, axis=1)[:, : len(each)]))
    return ClassScores(name, CONTEXTS, tuple(videos))


def runs(n_frames: int, *spans: tuple[int, int]) -> BoolArray:
    """Return labels with the event in ``spans``."""
    labels = np.zeros(n_frames, np.bool_)
    for start, stop in spans:
        labels[start:stop] = True
    return labels
