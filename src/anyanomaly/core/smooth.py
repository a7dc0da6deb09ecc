"""Temporal smoothing of per-frame scores: Gaussian for recorded video, exponential (causal) for live video."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from anyanomaly.types import FloatArray

DoubleArray: TypeAlias = npt.NDArray[np.float64]

MAX_SIGMA = 1_000_000
MAX_PRODUCTS = 2**28
"""A longer convolution goes through a Fourier transform, whose time does not depend on the kernel."""


def gaussian_smooth(values: FloatArray, sigma: float) -> FloatArray:
    """Return a series (n_frames,) smoothed with a Gaussian of ``sigma`` frames, ignoring missing values (NaN).

    Without missing values it equals SciPy's ``gaussian_filter1d``, as in the published code: the kernel is truncated at
    4 sigma, and the series is mirrored at its ends. A frame without a value within 4 sigma takes the nearest
    smoothed one. A series without any value stays NaN. A sigma above 100 times the length of the series, or above a
    million and twice the length, gives the mean, which the result approaches.
    """
    present = ~np.isnan(values)
    if not present.any():
        return values.copy()
    if sigma <= 0:
        return _fill_nearest(values)
    if sigma > max(2 * len(values), min(100 * len(values), MAX_SIGMA)):
        return np.full_like(values, values[present].mean())
    radius = int(4 * sigma + 0.5)
    steps = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (steps / sigma) ** 2)
    kernel /= kernel.sum()
    filled = np.where(present, values, 0).astype(np.float64)
    sums = _convolve_mirrored(filled, kernel)
    weights = _convolve_mirrored(present.astype(np.float64), kernel)
    weights[weights < 1e-9] = 0  # rounding of the transform
    smooth = np.where(weights > 0, sums / np.where(weights > 0, weights, 1), np.nan)
    return np.clip(_fill_nearest(smooth.astype(np.float32)), values[present].min(), values[present].max())


def _convolve_mirrored(series: DoubleArray, kernel: DoubleArray) -> DoubleArray:
    """Return a series (n_frames,), mirrored at its ends, convolved with a symmetric kernel of odd length."""
    n_frames, radius = len(series), len(kernel) // 2
    if n_frames * len(kernel) <= MAX_PRODUCTS:
        padded = np.pad(series, radius, mode="symmetric")
        return np.convolve(padded, kernel, mode="valid").astype(np.float64, copy=False)
    period = 2 * n_frames
    folded = np.bincount(np.arange(-radius, radius + 1) % period, weights=kernel, minlength=period)
    spectrum = np.fft.rfft(np.concatenate([series, series[::-1]])) * np.fft.rfft(folded)
    transformed: DoubleArray = np.fft.irfft(spectrum, period)[:n_frames]
    return transformed


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
