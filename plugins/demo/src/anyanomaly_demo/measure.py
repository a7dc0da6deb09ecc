"""How well timelines tell labelled frames from others: AUC of each mix of contexts, from one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from anyanomaly.core.smooth import gaussian_smooth
from anyanomaly.core.timeline import frame_rate
from anyanomaly.metrics.areas import area
from anyanomaly.metrics.values import fused
from anyanomaly.types import FloatArray, Timeline
from anyanomaly_demo.search_settings import SMOOTH_S

SMALL = 36
"""Height in pixels, of 240, of the largest events that are called small."""
Labels = Mapping[tuple[str, str], npt.NDArray[np.bool_]]
"""Video id and event text to labels (n_frames,)."""


def mixed(timeline: Timeline, weights: Mapping[str, float], smooth_s: float = SMOOTH_S) -> FloatArray:
    """Fuse the contexts that have a weight, per frame, and smooth: (n,), NaN only where nothing has a score."""
    series = fused(np.stack([timeline.contexts[name] for name in weights]), list(weights.values()))
    return gaussian_smooth(series.astype(np.float32), smooth_s * frame_rate(timeline.times_s, timeline.video.fps))


def auc(timelines: Iterable[Timeline], labels: Labels, weights: Mapping[str, float]) -> float:
    """Return the micro AUC: over all frames of all videos and texts together. NaN when only one label occurs."""
    scores, truth = [], []
    for timeline in timelines:
        scores.append(mixed(timeline, weights))
        truth.append(labels[timeline.video.id, timeline.text][timeline.start : timeline.start + len(scores[-1])])
    return area(np.concatenate(scores), np.concatenate(truth))


def per_text(timelines: Sequence[Timeline], labels: Labels, weights: Mapping[str, float]) -> dict[str, float]:
    """Return the AUC of each event text over all frames of all videos."""
    texts = dict.fromkeys(timeline.text for timeline in timelines)
    return {text: auc([each for each in timelines if each.text == text], labels, weights) for text in texts}
