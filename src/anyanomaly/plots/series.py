"""A curve in bounded memory: however long it gets, its extremes stay where they are."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

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
    """Spans of time that follow each other. When they get too many, the smallest gaps between them are closed."""

    def __init__(self, max_spans: int = MAX_SPANS) -> None:
        self._max_spans = max_spans
        self._spans: list[Span] = []

    def add(self, start_s: float, stop_s: float) -> None:
        """Append a span; one that begins where the last one stops makes that one longer."""
        if self._spans and start_s - self._spans[-1][1] <= _TOUCHING * (stop_s - start_s):
            self._spans[-1] = (self._spans[-1][0], stop_s)
        else:
            self._spans.append((start_s, stop_s))
        if len(self._spans) > self._max_spans:
            self._close_gaps()

    @property
    def spans(self) -> list[Span]:
        """Start and stop of each span, seconds, ascending."""
        return list(self._spans)

    def _close_gaps(self) -> None:
        gaps_s = [after[0] - before[1] for before, after in itertools.pairwise(self._spans)]
        limit_s = sorted(gaps_s)[len(gaps_s) // 2]
        merged = self._spans[:1]
        for gap_s, span in zip(gaps_s, self._spans[1:], strict=True):
            if gap_s <= limit_s:
                merged[-1] = (merged[-1][0], span[1])
            else:
                merged.append(span)
        self._spans = merged
