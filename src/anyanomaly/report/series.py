"""Scores over time, reduced to what a screen can show: peaks stay, and memory does not grow with the video's length."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

MAX_ROWS = 16_384  # of a series: several times the pixels of a wide screen

Table = npt.NDArray[np.float64]
"""float64 (n_rows, n_columns), ascending in time; each use documents the columns."""


class SegmentSeries:
    """The scores of the segments of one video and text. Of two neighbours beyond the limit, the higher one stays."""

    def __init__(self, contexts: Iterable[str], max_rows: int = MAX_ROWS) -> None:
        """:param contexts: names, in the run's order. :param max_rows: how many segments are kept."""
        self.contexts = tuple(contexts)
        self._max_rows = max_rows
        self._cells = array("d")
        self._reasons: list[str] = []

    def add(self, start_s: float, stop_s: float, value: float, scores: Mapping[str, float], reason: str) -> None:
        """Add a segment behind the others.

        :param value: the fused score; NaN: missing. :param scores: context to score.
        """
        self._cells.extend((start_s, stop_s, value, *(scores.get(name, math.nan) for name in self.contexts)))
        self._reasons.append(reason)
        if len(self._reasons) > self._max_rows:
            table, self._reasons = halve_segments(self.table(), self._reasons)
            self._cells = array("d", table.tobytes())

    def table(self) -> Table:
        """Return a row per segment: start and stop in seconds, the fused score, and the score of each context."""
        return np.array(self._cells).reshape(-1, 3 + len(self.contexts))

    @property
    def reasons(self) -> list[str]:
        """The model's reason per row of the table."""
        return list(self._reasons)


class CurveSeries:
    """A curve with a value per frame. Beyond a limit, the lowest and highest point of several frames stay."""

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        """:param max_rows: how many points are kept, at least 4."""
        self._max_rows = max_rows
        self._points = array("d")  # time, value, time, value ...
        self._bucket = 1  # frames that two points stand for; 1: each frame has its point
        self._rest = np.empty((0, 2))  # frames of the last bucket, which is not full

    def add(self, times_s: npt.NDArray[np.float64], values: npt.NDArray[np.float32]) -> None:
        """Add frames behind the others.

        :param times_s: (n,), seconds. :param values: (n,), NaN: missing.
        """
        frames = np.concatenate([self._rest, np.column_stack([times_s, values])])
        n_full = len(frames) - len(frames) % self._bucket
        self._points.extend(_reduced(frames[:n_full], self._bucket).ravel().tolist())
        self._rest = frames[n_full:]
        while len(self._points) > 2 * self._max_rows:
            self._bucket *= 2 if self._bucket > 1 else 4  # two points per frame would reduce nothing
            self._points = array("d", halve_curve(self._stored()).tobytes())

    def table(self) -> Table:
        """Return a row per point: time in seconds, and value."""
        return np.concatenate([self._stored(), _reduced(self._rest, max(len(self._rest), 1))])

    def _stored(self) -> Table:
        return np.array(self._points).reshape(-1, 2)


def halve_segments(table: Table, reasons: list[str]) -> tuple[Table, list[str]]:
    """Return half the rows: of each two, the one with the higher fused score, over the time of both.

    :param table: as of `SegmentSeries.table`. :param reasons: per row.
    """
    n_pairs = len(table) // 2
    pairs = table[: 2 * n_pairs].reshape(n_pairs, 2, -1)
    choices = np.nan_to_num(pairs[:, :, 2], nan=-np.inf).argmax(axis=1)
    rows = pairs[np.arange(n_pairs), choices]
    rows[:, 0], rows[:, 1] = pairs[:, 0, 0], pairs[:, 1, 1]
    row_numbers = (2 * np.arange(n_pairs) + choices).tolist() + list(range(2 * n_pairs, len(table)))
    return np.concatenate([rows, table[2 * n_pairs :]]), [reasons[row] for row in row_numbers]


def halve_curve(points: Table) -> Table:
    """Return half the points: of each four, the lowest and the highest.

    :param points: as of `CurveSeries.table`.
    """
    n_full = len(points) - len(points) % 4
    return np.concatenate([_reduced(points[:n_full], 4), points[n_full:]])


def _reduced(points: Table, bucket: int) -> Table:
    """Return the lowest and the highest of each ``bucket`` points, in the order of time; all of them up to two."""
    if bucket <= 2 or not len(points):
        return points
    buckets = points.reshape(-1, bucket, 2)
    values = buckets[:, :, 1]
    lowest = np.nan_to_num(values, nan=np.inf).argmin(axis=1)
    highest = np.nan_to_num(values, nan=-np.inf).argmax(axis=1)
    positions = np.sort(np.column_stack([lowest, highest]), axis=1)
    reduced: Table = buckets[np.arange(len(buckets))[:, None], positions].reshape(-1, 2)
    return reduced
