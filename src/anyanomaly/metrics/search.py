"""AUCs of hundreds of mixes of contexts, on all videos or parts of them, with true and with shifted labels.

Gaussian smoothing is linear: each context is smoothed once per sigma, and the mixes are weighted sums of these. For
parts of the videos and shifted labels, scores are sorted into 8,192 bins instead of ranked. That is enough to choose a
mix (an AUC is off by a few 1e-4); the AUC of the chosen mix is then computed exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from anyanomaly.core.labels import true_stretches
from anyanomaly.errors import MissingRequirement
from anyanomaly.install import install_command
from anyanomaly.metrics.values import BoolArray, DoubleArray

N_BINS = 1 << 13
N_SHIFTS = 50
MIN_FRAMES = 8_000
"""Frames that are enough to choose a mix and to estimate a null distribution; of longer series, every n-th is used."""


def circular_shifts(n_frames: int, n_shifts: int = N_SHIFTS) -> npt.NDArray[np.int64]:
    """Return 0 and then ``n_shifts`` shifts in frames (1 + n_shifts,), evenly spaced over the series."""
    return np.arange(n_shifts + 1) * n_frames // (n_shifts + 1)


def frame_stride(labels: BoolArray) -> int:
    """Return the frame stride, 1 to 4, that is enough to rank mixes or to estimate a null distribution.

    Of labels (n_frames,) of both kinds, both remain: the stride is at most the longest stretch of each label.
    """
    ends = np.flatnonzero(np.append(labels[1:] != labels[:-1], True))
    lengths = np.diff(ends, prepend=-1)  # of stretches of equal labels, the two labels in turn
    return int(np.clip(min(len(labels) // MIN_FRAMES, lengths[::2].max(), lengths[1::2].max()), 1, 4))


def weights_in_tenths(n_contexts: int) -> list[tuple[float, ...]]:
    """Return all weights (n_contexts,) in steps of 0.1 whose sum is 1."""

    def compositions(total: int, n_parts: int) -> Iterator[tuple[int, ...]]:
        if n_parts == 1:
            yield (total,)
            return
        for first in range(total + 1):
            for tail in compositions(total - first, n_parts - 1):
                yield (first, *tail)

    return [tuple(part / 10 for part in parts) for parts in compositions(10, n_contexts)]


def scipy_gaussian(values: DoubleArray, sigma: float) -> DoubleArray:
    """Return values (..., n_frames) without NaN, smoothed along the last axis by SciPy with its defaults.

    :param sigma: in frames.
    :raises MissingRequirement: when SciPy is not installed.
    """
    try:
        from scipy.ndimage import gaussian_filter1d
    except ImportError as error:
        raise MissingRequirement(f"Searching needs SciPy. Run: {install_command('anyanomaly[eval]')}") from error
    smoothed: DoubleArray = gaussian_filter1d(values, sigma)
    return smoothed


class AucTable:
    """AUCs against one set of labels: over all frames and over subsets of them, with true and with shifted labels.

    Labels shifted circularly over the joined videos are unrelated to the scores, but have as many events, as long. The
    AUCs with them are the null distribution of a protocol.
    """

    def __init__(self, labels: BoolArray, n_shifts: int = N_SHIFTS, subsets: Sequence[BoolArray] = ()) -> None:
        """:param labels: (n_frames,) of the joined videos.
        :param subsets: masks (n_frames,) of the frames to measure on, beside all frames.
        """
        n_frames = len(labels)
        # start and stop of each labelled stretch, per shift: (1 + n_shifts, n_stretches, 2)
        shifted_edges = true_stretches(labels)[None] + circular_shifts(n_frames, n_shifts)[:, None, None]
        self._edges = shifted_edges % n_frames
        self._n_wrapped = ((shifted_edges // n_frames) @ (-1, 1)).sum(axis=1)  # stretches over the end of the series
        self._subsets = np.stack([np.ones(n_frames), *subsets]).astype(np.float64)
        self._n_positives = np.stack([self._sum_over_positives(subset) for subset in self._subsets])
        self._n_pairs = self._n_positives * (self._subsets.sum(axis=1)[:, None] - self._n_positives)

    def aucs(self, scores: npt.NDArray[np.floating]) -> DoubleArray:
        """Return AUCs (1 + n_subsets, 1 + n_shifts) of scores (n_frames,) without NaN.

        NaN where only one label occurs. The sum of ranks of the positive frames gives the AUC (Mann and Whitney 1947);
        equal scores, and scores of one bin, count half.
        """
        low, high = float(scores.min()), float(scores.max())
        bins = ((scores - low) * ((N_BINS - 1) / max(high - low, 1e-12))).astype(np.int64)
        wins = np.empty_like(self._n_pairs)
        for row, subset in enumerate(self._subsets):
            counts = np.bincount(bins, weights=subset, minlength=N_BINS)
            ranks = np.cumsum(counts) - counts / 2  # frames below, and half of the equal ones with the frame itself
            wins[row] = self._sum_over_positives(ranks[bins] * subset)
        wins -= self._n_positives**2 / 2  # pairs of two positive frames
        return np.where(self._n_pairs > 0, wins / np.where(self._n_pairs > 0, self._n_pairs, 1), np.nan)

    def _sum_over_positives(self, values: DoubleArray) -> DoubleArray:
        """Return the sums (1 + n_shifts,) of values (n_frames,) over the frames that each shift labels positive."""
        cumulative = np.concatenate(([0.0], np.cumsum(values)))
        sums = cumulative[self._edges].sum(axis=1)  # over stretches: (1 + n_shifts, 2)
        totals: DoubleArray = sums[:, 1] - sums[:, 0] + self._n_wrapped * cumulative[-1]
        return totals


def exact_aucs(mixed_series: Iterable[npt.NDArray[np.floating]], labels: BoolArray) -> DoubleArray:
    """Return the AUC of each series (n_frames,), exactly; labels (n_frames,) of both kinds.

    Only the frames without the event are sorted; those with it are looked up among them.
    """
    positive, negative = np.flatnonzero(labels), np.flatnonzero(~labels)
    wins = []
    for series in mixed_series:
        negatives, positives = np.sort(series[negative]), np.sort(series[positive])
        wins.append(sum(int(np.searchsorted(negatives, positives, side).sum()) for side in ("left", "right")) / 2)
    return np.array(wins) / (len(positive) * len(negative))


def iterate_mixes(
    smoothed: Sequence[npt.NDArray[np.floating]], weights: Iterable[Sequence[float]]
) -> Iterator[npt.NDArray[np.floating]]:
    """Yield the series (n_frames,) of every mix: all weights for the first sigma, then for the next.

    :param smoothed: per sigma, contexts (n_contexts, n_frames).
    """
    weight_rows = [np.asarray(row, smoothed[0].dtype) for row in weights]
    for contexts in smoothed:
        for row in weight_rows:
            yield row @ contexts
