"""Scores over time, reduced to what a screen can show: peaks stay, and memory does not grow with the video's length."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

MAX_ROWS = 16_384  # of a series: several times the pixels of a wide screen
UNASKED = -math.inf
"""In the column of a context, where the model was not asked about it; a segment that was not asked has no other."""

Table = npt.NDArray[np.float64]
"""float64 (n_rows, n_columns), ascending in time; each use documents the columns."""


class SegmentSeries:
    """The scores of the segments of one video and text.

    Of two neighbours beyond the limit, the higher one stays; one that was not asked only beside another such one.
    """

    def __init__(self, contexts: Iterable[str], gates: Iterable[str] = (), max_rows: int = MAX_ROWS) -> None:
        """:param contexts: names, in the run's order. :param gates: names. :param max_rows: segments that are kept."""
        self.contexts = tuple(contexts)
        self.gates = tuple(gates)
        self.n_segments = self.n_unasked = 0  # that were added
        self._max_rows = max_rows
        self._cells = array("d")
        self._reasons: list[str] = []

    def add(
        self,
        start_s: float,
        stop_s: float,
        value: float,
        scores: Mapping[str, float],
        reason: str,
        priorities: Mapping[str, float] | None = None,
    ) -> None:
        """Add a segment behind the others.

        :param value: the fused score; NaN: missing. :param scores: context to score, `UNASKED` where it was not asked.
        :param priorities: gate to priority; None: there is none.
        """
        contexts = [scores.get(name, math.nan) for name in self.contexts]
        gates = [(priorities or {}).get(name, math.nan) for name in self.gates]
        self._cells.extend((start_s, stop_s, value, *contexts, *gates))
        self.n_segments += 1
        self.n_unasked += bool(contexts) and all(score == UNASKED for score in contexts)
        self._reasons.append(reason)
        if len(self._reasons) > self._max_rows:
            table, self._reasons = halve_segments(self.table(), self._reasons, len(self.contexts))
            self._cells = array("d", table.tobytes())

    def table(self) -> Table:
        """Return a row per segment: start and stop in seconds, fused score, score of each context, priorities."""
        return np.array(self._cells).reshape(-1, 3 + len(self.contexts) + len(self.gates))

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


def is_unasked(table: Table, n_contexts: int) -> npt.NDArray[np.bool_]:
    """Return which rows (n_rows,) of `SegmentSeries.table` are of segments that were not asked."""
    if not n_contexts:
        return np.zeros(len(table), dtype=np.bool_)
    unasked: npt.NDArray[np.bool_] = np.all(table[:, 3 : 3 + n_contexts] == UNASKED, axis=1)
    return unasked


def halve_segments(table: Table, reasons: list[str], n_contexts: int = 0) -> tuple[Table, list[str]]:
    """Return half the rows: of each two, the one with the higher fused score, over the time of both.

    :param table: as of `SegmentSeries.table`. :param reasons: per row. :param n_contexts: whose scores are in it.
    """
    n_pairs = len(table) // 2
    pairs = table[: 2 * n_pairs].reshape(n_pairs, 2, table.shape[1])
    ranks = np.nan_to_num(pairs[:, :, 2], nan=-sys.float_info.max)
    ranks[is_unasked(table[: 2 * n_pairs], n_contexts).reshape(n_pairs, 2)] = -np.inf
    choices = ranks.argmax(axis=1)
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
