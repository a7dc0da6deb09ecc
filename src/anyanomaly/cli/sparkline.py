"""Scores over time as one line of characters; the upper half of them is for scores that reach the threshold."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from anyanomaly.types import FloatArray, Timeline

BLOCK_LEVELS = "▁▂▃▄▅▆▇█"
ASCII_LEVELS = "_.-=+*#@"
MAX_PEAKS = 512
"""Values that a series keeps: more than a terminal has columns."""


class PeakSeries:
    """The scores of one video and event text, in bounded memory: the peaks of equally long runs of frames."""

    def __init__(self) -> None:
        self._peaks = np.full(MAX_PEAKS, np.nan, dtype=np.float32)
        self._asked = np.zeros(MAX_PEAKS, dtype=np.bool_)  # whether a frame of the run was asked about
        self._frames_per_peak = 1
        self._first_frame: int | None = None
        self._n_frames = 0
        self.peak = -math.inf  # the highest score of what was asked; -inf: none is known
        self.peak_s = 0.0  # its presentation time, seconds
        self.has_unasked = False  # whether the model was not asked about a frame

    def add(self, timeline: Timeline) -> None:
        """Add the piece that follows the pieces so far. A frame without a score of its own is a gap."""
        scores = np.where(np.isnan(timeline.raw), np.float32(np.nan), timeline.smooth)
        if self._first_frame is None:
            self._first_frame = timeline.start
        start = timeline.start - self._first_frame
        self._n_frames = start + len(scores)
        while self._n_frames > MAX_PEAKS * self._frames_per_peak:
            self._halve()
        places = np.arange(start, self._n_frames) // self._frames_per_peak
        np.fmax.at(self._peaks, places, scores)
        self._asked[places[timeline.asked]] = True
        self.has_unasked |= not timeline.asked.all()
        top = int(np.argmax(np.where(timeline.asked, np.nan_to_num(scores, nan=-np.inf), -np.inf)))
        if timeline.asked[top] and scores[top] > self.peak:
            self.peak, self.peak_s = float(scores[top]), float(timeline.times_s[top])

    def resample(self, width: int) -> FloatArray:
        """Return the highest score in each of at most ``width`` equally long parts, NaN where there is none."""
        starts = self._parts(width)
        return np.fmax.reduceat(self._peaks, starts) if len(starts) else np.empty(0, dtype=np.float32)

    def resample_asked(self, width: int) -> npt.NDArray[np.bool_]:
        """Return whether each of the same parts has a frame that was asked about."""
        starts = self._parts(width)
        return np.logical_or.reduceat(self._asked, starts) if len(starts) else np.empty(0, dtype=np.bool_)

    def _parts(self, width: int) -> npt.NDArray[np.int64]:
        """Return where each of at most ``width`` equally long parts of the peaks begins."""
        n_peaks = -(-self._n_frames // self._frames_per_peak)
        return np.linspace(0, n_peaks, max(0, min(width, n_peaks)), endpoint=False).astype(np.int64)

    def _halve(self) -> None:
        half = MAX_PEAKS // 2
        self._peaks[:half] = np.fmax(self._peaks[0::2], self._peaks[1::2])
        self._peaks[half:] = np.nan
        self._asked[:half] = self._asked[0::2] | self._asked[1::2]
        self._asked[half:] = False
        self._frames_per_peak *= 2


def draw_sparkline(scores: Iterable[float], threshold: float, levels: str) -> str:
    """Return a character per score, a blank where it is NaN.

    :param threshold: scores that reach it are drawn with the upper half of ``levels``.
    :param levels: an even number of characters, lowest first, for scores from 0 to 1.
    """
    return "".join(_level(score, float(np.float32(threshold)), levels) for score in scores)


def _level(score: float, threshold: float, levels: str) -> str:
    if math.isnan(score):
        return " "
    half = len(levels) // 2
    if score >= threshold:
        fraction = (score - threshold) / (1 - threshold) if threshold < 1 else 1.0
        return levels[half + min(half - 1, int(min(fraction, 1.0) * half))]
    return levels[min(half - 1, int(score / threshold * half)) if score > 0 else 0]
