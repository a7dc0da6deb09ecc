"""The published evaluation, to the last digit: videos joined end to end, sigma and weights searched on the labels.

Source: the evaluation script of the published code. All figures are computed by the same library calls (SciPy's
``gaussian_filter1d``, scikit-learn's ``roc_curve`` and ``auc``); the fast search only selects the few mixes that can be
the best. As there, a missing score counts as 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anyanomaly.metrics.frame_metrics import sklearn_metrics
from anyanomaly.metrics.search import (
    AucTable,
    exact_aucs,
    frame_stride,
    iterate_mixes,
    scipy_gaussian,
    weights_in_tenths,
)
from anyanomaly.metrics.values import ClassScores, DoubleArray, Mix

PUBLISHED_SIGMA = 15
"""In frames: the published fixed value."""
PUBLISHED_SIGMAS = range(1, 30)
"""In frames: those that the published code searches."""
EPSILON = 1e-8
"""The published code adds this to the range of the scores before it divides by it."""

NARROW_SIGMA, MARGIN, NARROW_MARGIN = 2, 1e-3, 1e-2
"""A mix whose fast AUC is more than this margin below the best cannot be the best.

Equal scores that become unequal by rounding change an AUC by at most a fifth of the margin. Up to sigma 2, frames in a
segment stay equal, and rounding matters more (measured on the published labels: 4e-3 up to sigma 2, 2e-4 above).
"""


@dataclass(frozen=True, slots=True, eq=False)
class PublishedMeasurement:
    """One class, measured by the published arithmetic."""

    mix: Mix
    auc: float  # 0 to 1
    scores: tuple[DoubleArray, ...]  # per video (n_frames,), of that mix, min-max scaled over all videos
    null: DoubleArray  # AUCs of the same protocol with shifted labels (n_shifts,)


def published_weights(n_contexts: int) -> list[tuple[float, ...]]:
    """Return the weights (n_contexts,) in the order in which the published code tries them.

    It takes ``arange(0, 1.1, 0.1)`` for the first two of three contexts; the third is 1 minus both in floating point,
    and must not be below 0, which drops six of the 66. Another number of contexts gets all weights in tenths.
    """
    if n_contexts != 3:
        return weights_in_tenths(n_contexts)
    steps = [float(step) for step in np.arange(0, 1.1, 0.1)]
    triples = [(first, second, 1 - first - second) for first in steps for second in steps]
    return [triple for triple in triples if 0 <= triple[2] <= 1]


def measure_published(scores: ClassScores, mix: Mix) -> PublishedMeasurement:
    """Measure one mix that was chosen beforehand, its sigma in frames.

    :raises MissingRequirement: without scikit-learn or SciPy.
    """
    contexts = _join_contexts(scores)
    series = _published_series(contexts, mix)
    table = AucTable(np.concatenate(scores.labels))
    null = table.aucs(series)[0, 1:]
    return PublishedMeasurement(mix, _published_auc(series, scores), _split_videos(series, scores), null)


def search_published(scores: ClassScores, weights: Sequence[tuple[float, ...]] | None = None) -> PublishedMeasurement:
    """Search sigma and weights on the labels under test: sigma is the outer loop, and the first best mix wins.

    :param weights: to try; None: those of the published code.
    :raises MissingRequirement: without scikit-learn or SciPy.
    """
    contexts, labels = _join_contexts(scores), np.concatenate(scores.labels)
    weights = weights or published_weights(len(scores.contexts))
    mixes = [Mix(row, sigma) for sigma in PUBLISHED_SIGMAS for row in weights]
    smoothed = [scipy_gaussian(contexts, sigma) for sigma in PUBLISHED_SIGMAS]
    fast_aucs = exact_aucs(iterate_mixes([series.astype(np.float32) for series in smoothed], weights), labels)
    margins = np.array([NARROW_MARGIN if mix.sigma <= NARROW_SIGMA else MARGIN for mix in mixes])
    is_candidate = fast_aucs >= fast_aucs.max() - margins
    candidates = [mix for mix, is_close in zip(mixes, is_candidate, strict=True) if is_close]
    aucs = [_published_auc(_published_series(contexts, mix), scores) for mix in candidates]
    best = int(np.argmax(aucs))
    stride = frame_stride(labels)
    table = AucTable(labels[::stride])
    thinned = [series[:, ::stride] for series in smoothed[::2]]  # in noise, neighbouring sigmas have the same AUC
    null = np.stack([table.aucs(series)[0, 1:] for series in iterate_mixes(thinned, weights)]).max(axis=0)
    best_series = _published_series(contexts, candidates[best])
    return PublishedMeasurement(candidates[best], aucs[best], _split_videos(best_series, scores), null)


def _join_contexts(scores: ClassScores) -> DoubleArray:
    """Return the contexts (n_contexts, n_frames) of all videos joined, missing scores as 0."""
    contexts: DoubleArray = np.nan_to_num(np.concatenate([video.contexts for video in scores.videos], axis=1))
    return contexts


def _published_series(contexts: DoubleArray, mix: Mix) -> DoubleArray:
    """Return fused, smoothed and scaled scores (n_frames,): (s - min) / (max - min + 1e-8), over all videos."""
    series = mix.weights[0] * contexts[0]
    for weight, context in zip(mix.weights[1:], contexts[1:], strict=True):
        series = series + weight * context  # in the published order of additions
    smoothed = scipy_gaussian(series, mix.sigma)
    scaled: DoubleArray = (smoothed - smoothed.min()) / (smoothed.max() - smoothed.min() + EPSILON)
    return scaled


def _published_auc(series: DoubleArray, scores: ClassScores) -> float:
    metrics = sklearn_metrics()
    false_positive_rates, true_positive_rates, _ = metrics.roc_curve(np.concatenate(scores.labels), series)
    return float(metrics.auc(false_positive_rates, true_positive_rates))


def _split_videos(series: DoubleArray, scores: ClassScores) -> tuple[DoubleArray, ...]:
    """Return the part (n_frames,) of each video."""
    return tuple(np.split(series, np.cumsum([len(labels) for labels in scores.labels])[:-1]))
