"""Convolution with a Gaussian kernel: of a part of a series, and of a short series that is mirrored at its ends."""

from __future__ import annotations

from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

DoubleArray: TypeAlias = npt.NDArray[np.float64]

MAX_TAPS = 4096
"""A longer kernel is applied to blocks of frames, through a Fourier transform."""
MAX_PRODUCTS = 2**28
"""A longer convolution of a short series goes through a Fourier transform, whose time does not depend on the kernel."""


class GaussianKernel:
    """A normalised Gaussian, truncated at 4 sigma. It may be longer than memory, so it is made at the first use."""

    def __init__(self, sigma: float) -> None:
        """:param sigma: standard deviation in frames, at least 0; 0: a single 1."""
        self._sigma = sigma
        self.radius = int(4 * sigma + 0.5)
        self.n_taps = 2 * self.radius + 1
        self.block = self.radius // 16 if self.n_taps > MAX_TAPS else 1
        """`convolve` gives the same bits for any part of a series that starts at a multiple of it."""

    def convolve(self, series: DoubleArray) -> DoubleArray:
        """Return the frames (n_frames,) of a series (radius + n_frames + radius,) that have all their neighbours."""
        if self.block == 1:
            return np.convolve(series, self._taps, mode="valid").astype(np.float64, copy=False)
        n_frames = len(series) - 2 * self.radius
        length = self._transform_length
        parts = []
        for start in range(0, n_frames, self.block):
            part = series[start : start + self.block + 2 * self.radius]
            circular = np.fft.irfft(np.fft.rfft(part, length) * self._spectrum, length)
            parts.append(circular[2 * self.radius : len(part)])
        return np.concatenate(parts)

    def convolve_mirrored(self, series: DoubleArray) -> DoubleArray:
        """Return a series (n_frames,), mirrored at its ends as often as the kernel needs, convolved."""
        n_frames = len(series)
        if n_frames * self.n_taps <= MAX_PRODUCTS:
            padded = np.pad(series, self.radius, mode="symmetric")
            return np.convolve(padded, self._taps, mode="valid").astype(np.float64, copy=False)
        period = 2 * n_frames
        steps = np.arange(-self.radius, self.radius + 1)
        folded = np.bincount(steps % period, weights=self._taps, minlength=period)
        spectrum = np.fft.rfft(np.concatenate([series, series[::-1]])) * np.fft.rfft(folded)
        transformed: DoubleArray = np.fft.irfft(spectrum, period)[:n_frames]
        return transformed

    @cached_property
    def _taps(self) -> DoubleArray:
        if self._sigma == 0:
            return np.ones(1)
        steps = np.arange(-self.radius, self.radius + 1)
        taps: DoubleArray = np.exp(-0.5 * (steps / self._sigma) ** 2)
        taps /= taps.sum()
        return taps

    @cached_property
    def _transform_length(self) -> int:
        """A power of two that holds a block with its neighbours."""
        return 1 << (self.block + 2 * self.radius - 1).bit_length()

    @cached_property
    def _spectrum(self) -> npt.NDArray[np.complex128]:
        return np.fft.rfft(self._taps, self._transform_length)
