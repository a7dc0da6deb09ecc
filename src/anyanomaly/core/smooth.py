"""Temporal smoothing of per-frame scores: Gaussian for recorded video, exponential (causal) for live video."""

from __future__ import annotations

import math

import numpy as np

from anyanomaly.core.convolve import DoubleArray, GaussianKernel
from anyanomaly.types import FloatArray

MAX_SIGMA = 1_000_000

_NOTHING: FloatArray = np.empty(0, dtype=np.float32)


def gaussian_smooth(values: FloatArray, sigma: float) -> FloatArray:
    """Return a series (n_frames,) smoothed with a Gaussian of ``sigma`` frames, ignoring missing values (NaN).

    Without missing values it equals SciPy's ``gaussian_filter1d``, as in the published code: the kernel is truncated at
    4 sigma, and the series is mirrored at its ends. A frame without a value within 4 sigma takes the nearest
    smoothed one. A series without any value stays NaN. A sigma above 100 times the length of the series, or above a
    million and twice the length, gives the mean, which the result approaches.
    """
    smoother = GaussianSmoother(sigma)
    return np.concatenate([smoother.push(values), smoother.finish()])


class GaussianSmoother:
    """Smooths a series as `gaussian_smooth` does, piece by piece; the result does not depend on the pieces.

    A smoothed value is final once the values within 4 sigma are known. With a sigma of more than 500 frames it may
    come a sixteenth later. A frame without a value within 4 sigma waits for the next value.
    """

    def __init__(self, sigma: float) -> None:
        """:param sigma: standard deviation in frames; 0: missing values are filled, and nothing is smoothed."""
        self._sigma = min(max(sigma, 0.0), 2.0**52)
        self._kernel = GaussianKernel(self._sigma)
        self._pieces: list[FloatArray] = []  # the values that are still needed, from number `_start` on
        self._start = 0
        self._n_values = 0
        self._n_convolved = 0
        self._n_unfilled = 0  # convolved frames without a value nearby, which wait for the next value
        self._last = _NOTHING  # the last smoothed value, once there is one
        self._lowest, self._highest = math.inf, -math.inf  # of the values on which convolved frames depend

    @property
    def delay(self) -> int:
        """The number of later frames that make a smoothed value final, where a value is within 4 sigma."""
        return self._kernel.radius + self._kernel.block - 1

    def push(self, values: FloatArray) -> FloatArray:
        """Add the next values (n_new,), and return the smoothed values (n_final,) that become final, in order."""
        self._pieces.append(values)
        self._n_values += len(values)
        stop = (self._n_values - self._kernel.radius) // self._kernel.block * self._kernel.block
        if stop <= self._n_convolved:
            return _NOTHING
        series = self._join()
        smooth = self._convolve(series, stop)
        needed = max(0, stop - self._kernel.radius)
        self._pieces, self._start = [series[needed - self._start :].copy()], needed
        return self._fill(smooth)

    def finish(self) -> FloatArray:
        """Return the smoothed values (n_final,) of all frames that were not final before the series ended."""
        series, n_values = self._join(), self._n_values
        if self._n_convolved:
            mirrored = np.concatenate([series, series[: -self._kernel.radius - 1 : -1]])
            return self._fill(self._convolve(mirrored, n_values), at_end=True)
        present = series[~np.isnan(series)]
        if not len(present):
            return series
        if self._sigma > max(2 * n_values, min(100 * n_values, MAX_SIGMA)):
            return np.full_like(series, present.mean())
        smooth = _divide(*(self._kernel.convolve_mirrored(part) for part in _split(series)))
        return self._fill(np.clip(smooth, present.min(), present.max()), at_end=True)

    def _join(self) -> FloatArray:
        return np.concatenate([_NOTHING, *self._pieces])

    def _convolve(self, series: FloatArray, stop: int) -> FloatArray:
        """Return the smoothed values of the next frames up to ``stop``; NaN where no value is within 4 sigma.

        :param series: the values from number ``_start`` on, up to the last on which those frames depend.
        """
        start, radius = self._n_convolved, self._kernel.radius
        if stop == start:
            return _NOTHING
        n_before_video = max(0, radius - start)
        window = series[max(0, start - radius) - self._start : stop + radius - self._start]
        window = np.pad(window, (n_before_video, 0), mode="symmetric")
        smooth = _divide(*(self._kernel.convolve(part) for part in _split(window)))
        if start == 0:
            self._extend_range(window[: 2 * radius])
        lows, highs = self._extend_range(window[2 * radius :])
        self._n_convolved = stop
        clipped: FloatArray = np.clip(smooth, lows, highs)
        return clipped

    def _extend_range(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the lowest and the highest value up to each of the next values (n,).

        They limit what rounding does. The range of all values would be known at the end only.
        """
        lows = np.fmin.accumulate(np.append(np.float32(self._lowest), values))
        highs = np.fmax.accumulate(np.append(np.float32(self._highest), values))
        self._lowest, self._highest = float(lows[-1]), float(highs[-1])
        return lows[1:], highs[1:]

    def _fill(self, smooth: FloatArray, *, at_end: bool = False) -> FloatArray:
        """Return the next smoothed values, missing ones filled, as far as the nearest value is known.

        :param smooth: the convolved values that follow those of the last call.
        """
        if not at_end and np.isnan(smooth).all():
            self._n_unfilled += len(smooth)
            return _NOTHING
        n_returned = len(self._last)
        series: FloatArray = np.concatenate([self._last, np.full(self._n_unfilled, np.nan, dtype=np.float32), smooth])
        present = np.flatnonzero(~np.isnan(series))
        if not len(present):
            return series
        n_final = len(series) if at_end else int(present[-1]) + 1
        self._n_unfilled = len(series) - n_final
        self._last = series[present[-1] : present[-1] + 1]
        return _fill_nearest(series)[n_returned:n_final]


def _split(series: FloatArray) -> tuple[DoubleArray, DoubleArray]:
    """Return a series (n_frames,) with 0 for missing values, and 1 where there is a value."""
    present = ~np.isnan(series)
    return np.where(present, series, 0).astype(np.float64), present.astype(np.float64)


def _divide(sums: DoubleArray, weights: DoubleArray) -> FloatArray:
    """Return the weighted means (n_frames,) of sums and weights; NaN without weight."""
    has_weight = weights >= 1e-9  # less is rounding of a transform
    return np.where(has_weight, sums / np.where(has_weight, weights, 1), np.nan).astype(np.float32)


def _fill_nearest(values: FloatArray) -> FloatArray:
    """Return a series (n_frames,) with each missing value replaced by the nearest one, the earlier of two as near."""
    present = np.flatnonzero(~np.isnan(values))
    frames = np.arange(len(values))
    right = np.clip(np.searchsorted(present, frames), 0, len(present) - 1)
    left = np.maximum(right - 1, 0)
    is_left_nearer = frames - present[left] <= np.abs(present[right] - frames)
    nearest = np.where(is_left_nearer, present[left], present[right])
    filled: FloatArray = values[nearest]
    return filled


class CausalSmoother:
    """Exponential smoothing, which needs no later scores, so that a live video can use it."""

    def __init__(self, seconds: float) -> None:
        """:param seconds: time constant; 0: no smoothing."""
        self._seconds = seconds
        self._level = math.nan

    def push(self, value: float, duration_s: float) -> float:
        """Return the smoothed value after ``value`` has lasted for ``duration_s`` seconds; NaN changes nothing."""
        if math.isnan(value):
            return self._level
        keep = math.exp(-duration_s / self._seconds) if self._seconds > 0 else 0.0
        self._level = value if math.isnan(self._level) else keep * self._level + (1 - keep) * value
        return self._level
