"""A curve in bounded memory: however long it gets, its extremes stay where they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from anyanomaly.core.labels import true_stretches
from anyanomaly.types import Span

Floats = npt.NDArray[np.float64]

MAX_POINTS = 8192
"""Points of a curve that are kept: several times the pixels of a plot."""
MAX_SPANS = 2048
_TOUCHING = 0.01  # of the length of a span: a gap that is no gap, because times are sums of floats


class Series:
    """The points of a curve over time, which are thinned out when they get too many."""

    def __init__(self, max_points: int = MAX_POINTS) -> None:
        self._max_points = max_points
        self._times: list[Floats] = []  # pieces that follow each other
        self._values: list[Floats] = []
        self._n_points = 0

    def add(self, times_s: npt.NDArray[np.floating], values: npt.NDArray[np.floating]) -> None:
        """Append points.

        :param times_s: (n,) seconds, ascending and behind those before. :param values: (n,); NaN where there is none.
        """
        for start in range(0, len(times_s), self._max_points):
            piece = slice(start, start + self._max_points)
            self._times.append(np.array(times_s[piece], np.float64))
            self._values.append(np.array(values[piece], np.float64))
            self._n_points += len(self._times[-1])
            if self._n_points > self._max_points:
                times, reduced = reduce_points(*self.points(), self._max_points // 2)
                self._times, self._values, self._n_points = [times], [reduced], len(times)

    def points(self) -> tuple[Floats, Floats]:
        """Return times in seconds and values (n,), n at most the maximum."""
        if not self._times:
            return np.zeros(0), np.zeros(0)
        return np.concatenate(self._times), np.concatenate(self._values)


def reduce_points(times_s: Floats, values: Floats, max_points: int) -> tuple[Floats, Floats]:
    """Return at most ``max_points`` of the points (n,): the lowest and the highest of equal parts of the time.

    NaN is neither; a part in which all values are NaN keeps NaN.
    """
    if len(times_s) <= max_points:
        return times_s, values
    n_parts = max(1, max_points // 2)
    span_s = times_s[-1] - times_s[0]
    position = (times_s - times_s[0]) / span_s if span_s > 0 else np.linspace(0, 1, len(times_s))
    parts = np.minimum((position * n_parts).astype(np.int64), n_parts - 1)
    is_missing = np.isnan(values)
    first_of_part = np.flatnonzero(np.diff(parts, prepend=-1))
    last_of_part = np.append(first_of_part[1:], len(parts)) - 1
    lowest = np.lexsort((np.where(is_missing, np.inf, values), parts))[first_of_part]
    highest = np.lexsort((np.where(is_missing, -np.inf, values), parts))[last_of_part]
    extremes = np.unique(np.concatenate([lowest, highest]))
    return times_s[extremes], values[extremes]


class SpanList:
    """Spans of time that follow each other, in bounded memory: with too many, short ones and short gaps vanish."""

    def __init__(self, max_spans: int = MAX_SPANS) -> None:
        self._max_spans = max_spans
        self._spans: list[Span] = []
        self.total_s = 0.0  # length of all that were added, seconds

    def add(self, start_s: float, stop_s: float) -> None:
        """Append a span; one that begins where the last one stops makes that one longer."""
        self.total_s += stop_s - start_s
        if self._spans and start_s - self._spans[-1][1] <= _TOUCHING * (stop_s - start_s):
            self._spans[-1] = (self._spans[-1][0], stop_s)
        else:
            self._spans.append((start_s, stop_s))
        if len(self._spans) > self._max_spans:
            self._spans = self.reduce(self._max_spans // 2)

    def reduce(self, max_spans: int) -> list[Span]:
        """Return at most ``max_spans`` spans: of equal parts of the time, that lie in spans for more than half."""
        if len(self._spans) <= max_spans:
            return list(self._spans)
        edges_s = np.linspace(self._spans[0][0], self._spans[-1][1], max_spans + 1)
        starts_s, stops_s = np.array(self._spans).T
        covered_s = np.cumsum(stops_s - starts_s)
        points_s = np.stack([starts_s, stops_s], axis=1).ravel()
        sums_s = np.stack([covered_s - (stops_s - starts_s), covered_s], axis=1).ravel()
        is_covered = np.diff(np.interp(edges_s, points_s, sums_s)) > np.diff(edges_s) / 2
        return [(float(edges_s[start]), float(edges_s[stop])) for start, stop in true_stretches(is_covered)]
