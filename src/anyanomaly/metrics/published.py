"""The published evaluation, to the last digit: videos joined end to end, sigma and weights searched on the labels.

Everything that decides is computed by the calls that the published code makes (SciPy's ``gaussian_filter1d``,
scikit-learn's ``roc_curve`` and ``auc``); the fast search only says which few mixes can be the best. A score that
could not be read counts 0, as there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anyanomaly.metrics.areas import sklearn_metrics
from anyanomaly.metrics.search import AreaTable, gaussian, mixes, sorted_areas, stride, tenths
from anyanomaly.metrics.values import ClassScores, DoubleArray, Mix

SIGMA = 15
SIGMAS = range(1, 30)
NARROW, NEAR, NEAR_NARROW = 2, 1e-3, 1e-2
"""A mix whose fast AUC is this far below the best cannot be the best.

What rounding makes of equal scores is worth at most a fifth of that; up to sigma 2 frames inside a segment stay equal,
and it is worth more (measured on the published labels: 4e-3 up to sigma 2, 2e-4 above).
"""


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """What the published evaluation makes of one class."""

    mix: Mix
    area: float
    scores: tuple[DoubleArray, ...]  # per video, of that mix
    null: DoubleArray  # the same with shifted labels, per shift


def published_weights(n_contexts: int) -> list[tuple[float, ...]]:
    """Return the weights in the order in which they are tried.

    For three contexts as published: the third is what floating point leaves of 1, and must not be below 0, which
    drops six of the 66. For another number, all tenths.
    """
    if n_contexts != 3:
        return tenths(n_contexts)
    steps = [float(each) for each in np.arange(0, 1.1, 0.1)]
    found = [(first, second, 1 - first - second) for first in steps for second in steps]
    return [each for each in found if 0 <= each[2] <= 1]


def measure_published(scores: ClassScores, mix: Mix) -> Published:
    """Measure one mix, chosen beforehand."""
    joined = _contexts(scores)
    series = _series(joined, mix)
    table = AreaTable(np.concatenate(scores.labels))
    return Published(mix, _area(series, scores), _split(series, scores), table.areas(series)[0, 1:])


def search_published(scores: ClassScores, weights: Sequence[tuple[float, ...]] | None = None) -> Published:
    """Search sigma and weights on the labels under test: sigma is the outer loop, and the first best wins."""
    joined, labels = _contexts(scores), np.concatenate(scores.labels)
    tried = weights or published_weights(len(scores.contexts))
    options = [Mix(each, sigma) for sigma in SIGMAS for each in tried]
    smoothed = [gaussian(joined, sigma) for sigma in SIGMAS]
    areas = sorted_areas(mixes([each.astype(np.float32) for each in smoothed], tried), labels)
    slack = np.array([NEAR_NARROW if each.sigma <= NARROW else NEAR for each in options])
    near = [option for option, close in zip(options, areas >= areas.max() - slack, strict=True) if close]
    exact = [_area(_series(joined, option), scores) for option in near]
    best = int(np.argmax(exact))
    every = stride(labels)
    table = AreaTable(labels[::every])
    thinned = [each[:, ::every] for each in smoothed[::2]]  # the next sigma over finds the same in noise
    null = np.stack([table.areas(series)[0, 1:] for series in mixes(thinned, tried)])
    return Published(near[best], exact[best], _split(_series(joined, near[best]), scores), null.max(axis=0))


def _contexts(scores: ClassScores) -> DoubleArray:
    found: DoubleArray = np.nan_to_num(np.concatenate([each.contexts for each in scores.videos], axis=1))
    return found


def _series(joined: DoubleArray, mix: Mix) -> DoubleArray:
    value = mix.weights[0] * joined[0]
    for weight, context in zip(mix.weights[1:], joined[1:], strict=True):
        value = value + weight * context  # in the published order
    smooth = gaussian(value, mix.sigma)
    scaled: DoubleArray = (smooth - smooth.min()) / (smooth.max() - smooth.min() + 1e-8)
    return scaled


def _area(series: DoubleArray, scores: ClassScores) -> float:
    metrics = sklearn_metrics()
    false_alarms, hits, _ = metrics.roc_curve(np.concatenate(scores.labels), series)
    return float(metrics.auc(false_alarms, hits))


def _split(series: DoubleArray, scores: ClassScores) -> tuple[DoubleArray, ...]:
    return tuple(np.split(series, np.cumsum([len(each) for each in scores.labels])[:-1]))
