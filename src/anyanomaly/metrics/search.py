"""AUCs of hundreds of mixes of contexts, of shifted labels and of parts of the videos, at a fraction of the cost.

Smoothing is linear, so each context is smoothed once per sigma and the mixes are weighted sums. For shifted labels and
parts of the videos, frames are ranked by counting: scores become one of 8,192 levels, without sorting. That is good
enough to choose by (an AUC is off by a few 1e-4), and what is chosen is then measured exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from anyanomaly.errors import MissingRequirement
from anyanomaly.install import install_command
from anyanomaly.metrics.values import BoolArray, DoubleArray

LEVELS = 1 << 13
N_SHIFTS = 50
N_ENOUGH = 8_000


def even_shifts(n_frames: int, n_shifts: int = N_SHIFTS) -> npt.NDArray[np.int64]:
    """Return 0 and then ``n_shifts`` shifts, evenly over all that there are."""
    return np.arange(n_shifts + 1) * n_frames // (n_shifts + 1)


def stride(labels: BoolArray) -> int:
    """Return every which frame is enough to choose a mix by, or to find a floor: labels last longer than that.

    Of labels (n,) of both kinds, both are left.
    """
    ends = np.flatnonzero(np.append(labels[1:] != labels[:-1], True))
    lengths = np.diff(ends, prepend=-1)  # of stretches with and without the event in turn
    return int(np.clip(min(len(labels) // N_ENOUGH, lengths[::2].max(), lengths[1::2].max()), 1, 4))


def tenths(n_contexts: int) -> list[tuple[float, ...]]:
    """Return all weights in steps of 0.1 whose sum is 1."""

    def parts(total: int, n_parts: int) -> Iterator[tuple[int, ...]]:
        if n_parts == 1:
            yield (total,)
            return
        for first in range(total + 1):
            for rest in parts(total - first, n_parts - 1):
                yield (first, *rest)

    return [tuple(part / 10 for part in each) for each in parts(10, n_contexts)]


def gaussian(values: DoubleArray, sigma: float) -> DoubleArray:
    """Smooth along the last axis, without missing values: SciPy's, with its defaults.

    :raises MissingRequirement: when SciPy is not installed.
    """
    try:
        from scipy.ndimage import gaussian_filter1d
    except ImportError as error:
        raise MissingRequirement(f"Searching needs SciPy. Run: {install_command('anyanomaly[eval]')}") from error
    found: DoubleArray = gaussian_filter1d(values, sigma)
    return found


class AreaTable:
    """AUCs against one set of labels: over all frames or those kept, with the labels as they are and shifted.

    Labels shifted circularly over the joined videos know nothing of the scores, but change as rarely: what a
    protocol finds with them is its floor.
    """

    def __init__(self, labels: BoolArray, n_shifts: int = N_SHIFTS, kept: Sequence[BoolArray] = ()) -> None:
        """:param kept: sets of frames (n,) to measure on, beside all."""
        n_frames = len(labels)
        borders = np.flatnonzero(np.diff(np.concatenate(([False], labels, [False])).astype(np.int8)))
        at = borders.reshape(-1, 2)[None] + even_shifts(n_frames, n_shifts)[:, None, None]  # (n_shifts, n_runs, 2)
        self._places = at % n_frames
        self._n_wrapped = ((at // n_frames) @ (-1, 1)).sum(axis=1)  # times that the end of the series lies within a run
        self._kept = np.stack([np.ones(n_frames), *kept]).astype(np.float64)
        self._n_positives = np.stack([self._over_positives(each) for each in self._kept])
        self._pairs = self._n_positives * (self._kept.sum(axis=1)[:, None] - self._n_positives)

    def areas(self, scores: npt.NDArray[np.floating]) -> DoubleArray:
        """Return the AUC (n_sets, 1 + n_shifts) of scores (n,) without NaN; NaN where one label only occurs."""
        low, high = float(scores.min()), float(scores.max())
        levels = ((scores - low) * ((LEVELS - 1) / max(high - low, 1e-12))).astype(np.int64)
        right = np.empty_like(self._pairs)
        for at, kept in enumerate(self._kept):
            counts = np.bincount(levels, weights=kept, minlength=LEVELS)
            below = np.cumsum(counts) - counts / 2  # equal ones count half, the frame itself among them
            right[at] = self._over_positives(below[levels] * kept)
        right -= self._n_positives**2 / 2  # pairs of two positives
        return np.where(self._pairs > 0, right / np.where(self._pairs > 0, self._pairs, 1), np.nan)

    def _over_positives(self, values: DoubleArray) -> DoubleArray:
        """Return the sum (n_shifts,) of values (n,) over the frames that shifted labels call positive."""
        until = np.concatenate(([0.0], np.cumsum(values)))
        sums = until[self._places].sum(axis=1)  # over runs: (1 + n_shifts, 2)
        total: DoubleArray = sums[:, 1] - sums[:, 0] + self._n_wrapped * until[-1]
        return total


def sorted_areas(mixed: Iterable[npt.NDArray[np.floating]], labels: BoolArray) -> DoubleArray:
    """Return the AUC of each series (n,): only the frames without the event are sorted, and those with it looked up."""
    positive, negative = np.flatnonzero(labels), np.flatnonzero(~labels)
    right = []
    for series in mixed:
        below, asked = np.sort(series[negative]), np.sort(series[positive])
        right.append(sum(int(np.searchsorted(below, asked, side).sum()) for side in ("left", "right")) / 2)
    return np.array(right) / (len(positive) * len(negative))


def mixes(
    smoothed: Sequence[npt.NDArray[np.floating]], weights: Iterable[Sequence[float]]
) -> Iterator[npt.NDArray[np.floating]]:
    """Yield the series (n,) of every mix: all weights for the first sigma, then for the next.

    :param smoothed: per sigma, contexts (n_contexts, n).
    """
    factors = [np.asarray(each, smoothed[0].dtype) for each in weights]
    for contexts in smoothed:
        for each in factors:
            yield each @ contexts
