"""Temporal smoothing of per-frame scores: Gaussian for recorded video, exponential (causal) for live video."""

from __future__ import annotations

import math

import numpy as np

from anyanomaly.types import FloatArray


def gaussian_smooth(values: FloatArray, sigma: float) -> FloatArray:
    """Smooth a series (n,) with a Gaussian of ``sigma`` frames; missing values (NaN) take no part.

    The kernel reaches 4 sigma and the series is mirrored at its ends, as in SciPy's ``gaussian_filter1d``, to
    which this is equal where nothing is missing. A stretch with no value within reach takes its nearest
    value's; a series without any value stays NaN.
    """
    known = ~np.isnan(values)
    if not known.any():
        return values.copy()
    if sigma <= 0:
        return _fill_nearest(values)
    radius = int(4 * sigma + 0.5)
    steps = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (steps / sigma) ** 2)
    kernel /= kernel.sum()
    filled = np.where(known, values, 0).astype(np.float64)
    weighed = np.convolve(np.pad(filled, radius, mode="symmetric"), kernel, mode="valid")
    weight = np.convolve(np.pad(known.astype(np.float64), radius, mode="symmetric"), kernel, mode="valid")
    smooth = np.where(weight > 0, weighed / np.where(weight > 0, weight, 1), np.nan)
    return np.clip(_fill_nearest(smooth.astype(np.float32)), values[known].min(), values[known].max())


def _fill_nearest(values: FloatArray) -> FloatArray:
    known = np.flatnonzero(~np.isnan(values))
    at = np.arange(len(values))
    right = np.clip(np.searchsorted(known, at), 0, len(known) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(at - known[left] <= np.abs(known[right] - at), known[left], known[right])
    filled: FloatArray = values[nearest]
    return filled


class CausalSmoother:
    """Exponential smoothing with a time constant in seconds: needs no future, so it suits a live video."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._level = math.nan

    def push(self, value: float, duration_s: float) -> float:
        """Take a value that held for ``duration_s`` and return the level after it; NaN leaves the level as it is."""
        if math.isnan(value):
            return self._level
        keep = math.exp(-duration_s / self._seconds) if self._seconds > 0 else 0.0
        self._level = value if math.isnan(self._level) else keep * self._level + (1 - keep) * value
        return self._level
