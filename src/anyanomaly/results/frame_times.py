"""Presentation times of frames: a result file has them only where the frame rate does not give them exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from anyanomaly.types import TimeArray

_MAX_DENOMINATOR = 100_000
"""Of a frame rate as a ratio, 30000/1001 for example: a float determines such a ratio."""
_MAX_FPS = 1_000_000
"""Up to this rate the products of integers are exact."""


def even_times(start: int, stop: int, fps: float) -> TimeArray:
    """Return the times (stop - start,) of frames, seconds, at a constant rate: frame number / frame rate."""
    frames = np.arange(start, stop)
    ratio = Fraction(fps).limit_denominator(_MAX_DENOMINATOR)
    is_usual = 0 < ratio < _MAX_FPS
    times_s: TimeArray = frames * ratio.denominator / ratio.numerator if is_usual else frames / fps
    return times_s


def uneven_times(times_s: TimeArray, start: int, fps: float) -> list[float] | None:
    """Return the times (n_frames,) of frames as a list; None where `even_times` gives each of them, bit by bit."""
    if np.array_equal(times_s, even_times(start, start + len(times_s), fps)):
        return None
    times: list[float] = times_s.tolist()
    return times
