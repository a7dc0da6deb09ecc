"""Scores over time as small SVG paths: in the overview, and where no script draws a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anyanomaly.report.series import Table
from anyanomaly.types import Span

WIDTH, HEIGHT = 400, 40  # units of the view box
_N_BINS = 100


@dataclass(frozen=True, slots=True)
class Strip:
    """A strip in a view box of `WIDTH` x `HEIGHT`."""

    path: str  # the area below the highest score of each bin
    events: tuple[tuple[int, int], ...]  # left edge and width
    threshold: int | None  # height from the top; None: unknown
    unasked: tuple[tuple[int, int], ...] = ()  # parts that were not asked about: left edge and width


def make_strip(
    points: Table,
    extent: Span,
    events: Sequence[Span],
    threshold: float | None,
    limits: Span,
    unasked: Sequence[Span] = (),
) -> Strip:
    """Return a strip.

    :param points: time in seconds and value per row. :param extent: of the time axis, seconds. :param events: seconds.
    :param limits: lowest and highest score of the axis. :param unasked: parts that were not asked about, seconds.
    """
    start_s, stop_s = extent
    length_s = max(stop_s - start_s, 1e-9)
    low, high = limits
    tops = np.full(_N_BINS, np.nan)
    points = points[~np.isnan(points[:, 1])]
    bins = np.clip((points[:, 0] - start_s) / length_s * _N_BINS, 0, _N_BINS - 1).astype(int)
    np.fmax.at(tops, bins, points[:, 1])
    filled_bins = np.flatnonzero(~np.isnan(tops))
    if len(filled_bins):  # a bin between two frames has none
        tops = np.interp(np.arange(_N_BINS), filled_bins, tops[filled_bins], left=low, right=low)
    heights = np.clip((np.nan_to_num(tops, nan=low) - low) / (high - low), 0, 1)
    lines = "".join(f"V{HEIGHT - round(float(height) * HEIGHT)}h{WIDTH // _N_BINS}" for height in heights)

    def place(spans: Sequence[Span]) -> list[tuple[float, float]]:
        return [((start - start_s) / length_s * WIDTH, (stop - start_s) / length_s * WIDTH) for start, stop in spans]

    return Strip(
        f"M0 {HEIGHT}{lines}V{HEIGHT}Z",
        tuple((int(left), max(round(right - left), 2)) for left, right in place(events)),
        None if threshold is None else HEIGHT - round((threshold - low) / (high - low) * HEIGHT),
        _whole_units(place(unasked)),
    )


def _whole_units(spans: Sequence[tuple[float, float]]) -> tuple[tuple[int, int], ...]:
    """Return left edge and width of spans in whole units; those that touch are one, so that a strip has few."""
    merged: list[tuple[int, int]] = []
    for left, right in ((round(left), round(right)) for left, right in spans):
        if merged and left <= sum(merged[-1]):
            merged[-1] = (merged[-1][0], max(right - merged[-1][0], merged[-1][1]))
        elif right > left:
            merged.append((left, right - left))
    return tuple(merged)
