"""How certain an AUC is: bootstrap intervals over videos, and paired comparisons of two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from anyanomaly.metrics.values import BoolArray, DoubleArray, Series

LEVEL = 0.95
"""Probability that an interval is meant to cover."""
Z = 1.96
"""Standard deviations to each side of a normal distribution that cover it."""
N_RESAMPLES = 2000

Interval: TypeAlias = tuple[float, float]
"""Lower and upper bound of a 95 % bootstrap interval over videos."""
Resamples: TypeAlias = npt.NDArray[np.int64]
"""(n_resamples, n_videos): how often each video is in each resample."""


class PairCounts:
    """Per pair of videos: the pairs of a positive frame of one and a negative frame of the other in the right order.

    A micro AUC is the fraction of such pairs, equal scores half (Mann and Whitney 1947). So the AUC of any resample of
    videos is a product with this small matrix, exact, without sorting again.
    """

    def __init__(self, series: Series, labels: Sequence[BoolArray]) -> None:
        """:param series: scores (n_frames,) per video; NaN: no score. :param labels: (n_frames,) per video."""
        videos = list(zip(series, labels, strict=True))
        positives = [scores[truth & ~np.isnan(scores)] for scores, truth in videos]
        negatives = [np.sort(scores[~truth & ~np.isnan(scores)]) for scores, truth in videos]
        self.n_positives = np.array(list(map(len, positives)), np.float64)
        self.n_negatives = np.array(list(map(len, negatives)), np.float64)
        video_of_positive = np.repeat(np.arange(len(positives)), [len(scores) for scores in positives])
        all_positives = np.concatenate(positives) if positives else np.empty(0)
        self.wins = np.empty((len(positives), len(negatives)))
        for column, scores in enumerate(negatives):
            lower, lower_or_equal = (np.searchsorted(scores, all_positives, side) for side in ("left", "right"))
            wins = (lower + lower_or_equal) / 2
            self.wins[:, column] = np.bincount(video_of_positive, weights=wins, minlength=len(positives))

    @property
    def auc(self) -> float:
        """Micro AUC of all videos, 0 to 1; NaN when only one label occurs."""
        return float(self.aucs(np.ones((1, len(self.wins)), np.int64))[0])

    def aucs(self, resamples: Resamples) -> DoubleArray:
        """Return the micro AUC of each resample (n_resamples,); NaN where only one label occurs."""
        n_pairs = (resamples @ self.n_positives) * (resamples @ self.n_negatives)
        wins = ((resamples @ self.wins) * resamples).sum(axis=1)
        return np.where(n_pairs > 0, wins / np.where(n_pairs > 0, n_pairs, 1), np.nan)


def resample_videos(n_videos: int, seed: int, n_resamples: int = N_RESAMPLES) -> Resamples:
    """Return bootstrap resamples: ``n_videos`` videos each, with replacement (Efron 1979)."""
    return np.random.default_rng(seed).multinomial(n_videos, np.full(n_videos, 1 / n_videos), size=n_resamples)


def percentile_interval(values: DoubleArray) -> Interval | None:
    """Return the interval between the 2.5 % and 97.5 % quantiles of values (n_resamples,), NaN dropped.

    None: fewer than half of the resamples have a value. This is the percentile bootstrap (Efron and Tibshirani 1993).
    """
    numbers = values[~np.isnan(values)]
    if not len(values) or len(numbers) < len(values) / 2:
        return None
    low, high = np.quantile(numbers, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def widen_to_chance(aucs: DoubleArray, centre: float, null: DoubleArray, rng: np.random.Generator) -> DoubleArray:
    """Return the AUCs of resamples (n_resamples,), with noise added where they vary less than chance makes them.

    Where few videos show the event, resamples repeat the same few events, so their AUCs vary too little. The AUCs of
    shifted labels vary as chance alone makes as many events of that length vary around 0.5. The variance of a fraction
    p is proportional to p (1 - p), which carries it over to ``centre``; p is first shrunk towards 0.5 as Wilson's score
    interval does (Wilson 1927): (p + z^2 / 2n) / (1 + z^2 / n).

    :param centre: AUC of all videos. :param null: AUCs of shifted labels (n_shifts,).
    """
    if np.isnan(aucs).all() or np.isnan(null).all():
        return aucs
    complete = np.where(np.isnan(aucs), centre, aucs)  # a resample without the event
    one_over_n = 4 * float(np.nanvar(null))  # a fraction of n trials around 0.5 has the variance 1 / 4n
    shrunk = (centre + Z**2 * one_over_n / 2) / (1 + Z**2 * one_over_n)
    lacking_variance = max(0.0, one_over_n * shrunk * (1 - shrunk) - float(np.mean((complete - centre) ** 2)))
    widened: DoubleArray = (complete + lacking_variance**0.5 * rng.standard_normal(len(complete))).clip(0, 1)
    return widened


@dataclass(frozen=True, slots=True)
class Difference:
    """The AUC of one run minus that of another, on the same videos."""

    difference: float  # -1 to 1
    interval: Interval | None  # from the same resamples for both runs
    p: float  # two-sided, above 0, at most 1


def compare_paired(
    pair_counts: Sequence[PairCounts], baseline_counts: Sequence[PairCounts], resamples: Sequence[Resamples]
) -> Difference:
    """Compare the mean AUC over classes of a run with that of a baseline.

    p is twice the smaller fraction of resamples on one side of 0, with 1 added to both counts so that it is never 0
    (Davison and Hinkley 1997, section 4.2).

    :param pair_counts: per class. :param baseline_counts: per class, of the same videos.
    :param resamples: per class, of its videos.
    """
    classes = list(zip(pair_counts, baseline_counts, resamples, strict=True))
    centres = np.array([counts.auc - baseline.auc for counts, baseline, _ in classes])
    values = mean_over_classes(
        [counts.aucs(sample) - baseline.aucs(sample) for counts, baseline, sample in classes], centres
    )
    numbers = values[~np.isnan(values)]
    p = min(1.0, 2 * (1 + min((numbers <= 0).sum(), (numbers >= 0).sum())) / (1 + len(numbers)))
    return Difference(float(centres.mean()), percentile_interval(values), float(p))


def mean_over_classes(values: Sequence[DoubleArray], centres: DoubleArray) -> DoubleArray:
    """Return the mean over classes of each resample (n_resamples,).

    A class without a value in a resample does not shift its mean: deviations from the centres are averaged.

    :param values: per class (n_resamples,); NaN: none. :param centres: per class, over all videos (n_classes,).
    """
    deviations = np.stack(values) - centres[:, None]
    n_numbers = (~np.isnan(deviations)).sum(axis=0)
    means = centres.mean() + np.nansum(deviations, axis=0) / np.maximum(n_numbers, 1)
    return np.where(n_numbers > 0, means, np.nan)
