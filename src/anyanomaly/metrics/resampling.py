"""How sure an AUC is: intervals by drawing videos anew, paired differences of two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from anyanomaly.metrics.values import BoolArray, DoubleArray, Series

LEVEL = 0.95
WIDE = 1.96
"""Standard deviations to each side that hold as much of a normal distribution."""
N_DRAWS = 2000

Interval: TypeAlias = tuple[float, float]
Draws: TypeAlias = npt.NDArray[np.int64]
"""(n_draws, n_videos): how often each video is in each draw."""


class PairCounts:
    """Of each video's positive frames and each video's negative ones, how many pairs are in the right order.

    A micro AUC is the share of such pairs, equal ones half. So the AUC of any draw of videos is a product with this
    small matrix, exact, without sorting again.
    """

    def __init__(self, series: Series, labels: Sequence[BoolArray]) -> None:
        positives = [s[y & ~np.isnan(s)] for s, y in zip(series, labels, strict=True)]
        negatives = [np.sort(s[~y & ~np.isnan(s)]) for s, y in zip(series, labels, strict=True)]
        self.n_positives = np.array([len(each) for each in positives], np.float64)
        self.n_negatives = np.array([len(each) for each in negatives], np.float64)
        owner = np.repeat(np.arange(len(positives)), [len(each) for each in positives])
        asked = np.concatenate(positives) if positives else np.empty(0)
        self.wins = np.empty((len(positives), len(negatives)))
        for at, each in enumerate(negatives):
            won = (np.searchsorted(each, asked, "left") + np.searchsorted(each, asked, "right")) / 2
            self.wins[:, at] = np.bincount(owner, weights=won, minlength=len(positives))

    @property
    def area(self) -> float:
        """The micro AUC of all videos; NaN when only one label occurs."""
        return float(self.areas(np.ones((1, len(self.wins)), np.int64))[0])

    def areas(self, draws: Draws) -> DoubleArray:
        """Return the micro AUC of each draw (n_draws,); NaN where only one label occurs."""
        pairs = (draws @ self.n_positives) * (draws @ self.n_negatives)
        right = ((draws @ self.wins) * draws).sum(axis=1)
        return np.where(pairs > 0, right / np.where(pairs > 0, pairs, 1), np.nan)


def draw_videos(n_videos: int, seed: int, n_draws: int = N_DRAWS) -> Draws:
    """Draw as many videos as there are, with replacement, ``n_draws`` times."""
    return np.random.default_rng(seed).multinomial(n_videos, np.full(n_videos, 1 / n_videos), size=n_draws)


def interval(values: DoubleArray) -> Interval | None:
    """Return the interval that holds 95 % of the values; None when fewer than half of the draws have one."""
    known = values[~np.isnan(values)]
    if not len(values) or len(known) < len(values) / 2:
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def widened(areas: DoubleArray, centre: float, null: DoubleArray, rng: np.random.Generator) -> DoubleArray:
    """Return the AUCs of draws (n_draws,) moved at random until they spread around ``centre`` as chance alone does.

    Where few videos show the event, draws hold the same few events over and over, and spread far too little. The AUCs
    of shifted labels (``null``) tell what chance does with as many events as long, around 0.5. Elsewhere the variance
    of a share tells it, taken as far towards 0.5 as Wilson's interval does. A draw without the event (NaN) is moved
    from the centre.
    """
    if np.isnan(areas).all() or np.isnan(null).all():
        return areas
    moved = np.where(np.isnan(areas), centre, areas)
    per_share = 4 * float(np.nanvar(null))  # 1 over the number of draws of a share that would spread as much
    middle = (centre + WIDE**2 * per_share / 2) / (1 + WIDE**2 * per_share)
    lacking = max(0.0, per_share * middle * (1 - middle) - float(np.mean((moved - centre) ** 2)))
    found: DoubleArray = (moved + lacking**0.5 * rng.standard_normal(len(moved))).clip(0, 1)
    return found


@dataclass(frozen=True, slots=True)
class Difference:
    """One run's AUC less another's, on the same videos."""

    difference: float
    interval: Interval | None  # the same draws for both runs
    p: float  # two-sided: how often, at worst, draws say otherwise


def compare(ours: Sequence[PairCounts], theirs: Sequence[PairCounts], draws: Sequence[Draws]) -> Difference:
    """Compare two runs by the mean AUC over their classes; for each class the draws of its videos."""
    here = np.array([a.area - b.area for a, b in zip(ours, theirs, strict=True)])
    values = mean_areas([a.areas(d) - b.areas(d) for a, b, d in zip(ours, theirs, draws, strict=True)], here)
    known = values[~np.isnan(values)]
    p = min(1.0, 2 * (1 + min((known <= 0).sum(), (known >= 0).sum())) / (1 + len(known)))
    return Difference(float(here.mean()), interval(values), float(p))


def mean_areas(areas: Sequence[DoubleArray], centres: DoubleArray) -> DoubleArray:
    """Return the mean over classes of each draw; one that a draw leaves without an AUC does not shift it.

    ``centres``: of each class over all videos, from which draws are taken to differ.
    """
    moved = np.stack(areas) - centres[:, None]
    n_known = (~np.isnan(moved)).sum(axis=0)
    means = centres.mean() + np.nansum(moved, axis=0) / np.maximum(n_known, 1)
    return np.where(n_known > 0, means, np.nan)
