"""AUC of each mix of contexts, from the timelines of one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from anyanomaly.core.smooth import gaussian_smooth
from anyanomaly.core.timeline import frame_rate
from anyanomaly.metrics.frame_metrics import roc_auc
from anyanomaly.metrics.values import fuse_frames
from anyanomaly.types import FloatArray, Timeline
from anyanomaly_demo.search_settings import SMOOTH_S

SMALL_HEIGHT = 36
"""An event is small when it is at most this many pixels high, in a frame of 240."""
Labels = Mapping[tuple[str, str], npt.NDArray[np.bool_]]
"""Labels (n_frames,) by video id and event text."""


def fuse_contexts(timeline: Timeline, weights: Mapping[str, float], smooth_s: float = SMOOTH_S) -> FloatArray:
    """Return the fused and smoothed score per frame (n,), 0 to 1; NaN where no context has a score.

    :param weights: contexts to fuse with their weights.
    :param smooth_s: standard deviation of the smoothing in seconds; 0: none.
    """
    series = fuse_frames(np.stack([timeline.contexts[name] for name in weights]), list(weights.values()))
    return gaussian_smooth(series.astype(np.float32), smooth_s * frame_rate(timeline.times_s, timeline.video.fps))


def auc(timelines: Iterable[Timeline], labels: Labels, weights: Mapping[str, float]) -> float:
    """Return the micro AUC: over the frames of all videos and texts. NaN when all labels are equal."""
    scores, truth = [], []
    for timeline in timelines:
        scores.append(fuse_contexts(timeline, weights))
        truth.append(labels[timeline.video.id, timeline.text][timeline.start : timeline.start + len(scores[-1])])
    return roc_auc(np.concatenate(scores), np.concatenate(truth))


def auc_per_text(timelines: Sequence[Timeline], labels: Labels, weights: Mapping[str, float]) -> dict[str, float]:
    """Return the AUC of each event text over all frames of all videos."""
    texts = dict.fromkeys(timeline.text for timeline in timelines)
    return {text: auc([timeline for timeline in timelines if timeline.text == text], labels, weights) for text in texts}
