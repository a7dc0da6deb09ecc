"""The numbers behind the charts, as binary in JSON, within a budget."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyanomaly.pages.text import page_text
from anyanomaly.report.results import TextResults
from anyanomaly.report.series import Table, halve_curve, halve_segments, is_unasked
from anyanomaly.types import Span

_MAX_REASON_BYTES = 3_000_000  # of all tooltips


@dataclass(slots=True)
class ChartData:
    """The series of one video and text."""

    segments: Table
    reasons: list[str]
    curve: Table
    contexts: tuple[str, ...]
    gates: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Size in the page, about."""
        return (4 * self.segments.size + 4 * self.curve.size) * 4 // 3

    @property
    def unasked(self) -> list[Span]:
        """The parts of the video that were not asked about, seconds."""
        rows = self.segments[is_unasked(self.segments, len(self.contexts))]
        spans: list[Span] = []
        for start_s, stop_s in rows[:, :2].tolist():
            if spans and start_s - spans[-1][1] <= 0.01 * (stop_s - start_s) + 0.001:
                spans[-1] = (spans[-1][0], stop_s)
            else:
                spans.append((start_s, stop_s))
        return spans


def chart_data(text: TextResults) -> ChartData:
    """Return the series of a video and text."""
    segments = text.segments
    return ChartData(segments.table(), segments.reasons, text.curve.table(), segments.contexts, segments.gates)


def fit_charts(charts: Sequence[ChartData], max_bytes: int) -> None:
    """Halve the longest series until all of them fit, and keep the reasons of the highest segments that fit."""
    total = sum(chart.nbytes for chart in charts)
    while total > max_bytes:
        largest = max(charts, key=lambda chart: chart.nbytes)
        if largest.nbytes < 4096:
            break
        total -= largest.nbytes
        largest.segments, largest.reasons = halve_segments(largest.segments, largest.reasons, len(largest.contexts))
        largest.curve = halve_curve(largest.curve)
        total += largest.nbytes
    _keep_reasons(charts)


def pack(chart: ChartData) -> dict[str, Any]:
    """Return a chart's series, JSON-ready: columns as float32, in base64; reasons once, and their positions."""
    reasons: dict[str, int] = {"": 0}
    positions = [reasons.setdefault(page_text(reason), len(reasons)) for reason in chart.reasons]
    start, stop, value, *columns = chart.segments.T
    scores, priorities = columns[: len(chart.contexts)], columns[len(chart.contexts) :]
    return {
        "start": pack_floats(start),
        "stop": pack_floats(stop),
        "value": pack_floats(value),
        "scores": [pack_floats(column) for column in scores],
        "contexts": list(map(page_text, chart.contexts)),
        "priorities": [pack_floats(column) for column in priorities],
        "gates": list(map(page_text, chart.gates)),
        "unasked": [list(span) for span in chart.unasked],
        "reasons": list(reasons),
        "reason": pack_floats(np.array(positions, dtype=np.float64)),
        "time": pack_floats(chart.curve[:, 0]),
        "curve": pack_floats(chart.curve[:, 1]),
    }


def pack_floats(values: npt.NDArray[np.float64]) -> str:
    """Return values as little-endian float32 in base64; a context that was not asked is minus infinity."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def score_limits(charts: Sequence[ChartData], threshold: float | None) -> tuple[float, float]:
    """Return the limits of the score axis: 0 to 1, or wider where a score or the threshold is."""
    values = [array for chart in charts for array in (chart.segments[:, 2:].ravel(), chart.curve[:, 1])]
    numbers = np.concatenate([*values, [0.0, 1.0] if threshold is None else [0.0, 1.0, threshold]])
    numbers = numbers[np.isfinite(numbers)]
    return float(numbers.min()), float(numbers.max())


def _keep_reasons(charts: Sequence[ChartData]) -> None:
    """Keep the reasons of the highest segments, up to a size."""
    remaining = _MAX_REASON_BYTES
    if sum(len(reason) for chart in charts for reason in chart.reasons) <= remaining // 4:  # a character: up to 4 bytes
        return
    values = np.concatenate([chart.segments[:, 2] for chart in charts])
    places = [(chart, row) for chart in charts for row in range(len(chart.reasons))]
    for place in np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable").tolist():
        chart, row = places[place]
        remaining -= len(chart.reasons[row].encode(errors="replace")) + 4
        if remaining < 0:
            chart.reasons[row] = ""
