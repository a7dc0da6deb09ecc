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
from anyanomaly.report.series import Table, halve_curve, halve_segments

_MAX_REASON_BYTES = 3_000_000  # of all tooltips


@dataclass(slots=True)
class ChartData:
    """The series of one video and text."""

    segments: Table
    reasons: list[str]
    curve: Table
    contexts: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """Size in the page, about."""
        return (4 * self.segments.size + 4 * self.curve.size) * 4 // 3


def chart_data(text: TextResults) -> ChartData:
    """Return the series of a video and text."""
    return ChartData(text.segments.table(), text.segments.reasons, text.curve.table(), text.segments.contexts)


def fit_charts(charts: Sequence[ChartData], max_bytes: int) -> None:
    """Halve the longest series until all of them fit, and keep the reasons of the highest segments that fit."""
    total = sum(chart.nbytes for chart in charts)
    while total > max_bytes:
        largest = max(charts, key=lambda chart: chart.nbytes)
        if largest.nbytes < 4096:
            break
        total -= largest.nbytes
        largest.segments, largest.reasons = halve_segments(largest.segments, largest.reasons)
        largest.curve = halve_curve(largest.curve)
        total += largest.nbytes
    _keep_reasons(charts)


def pack(chart: ChartData) -> dict[str, Any]:
    """Return a chart's series, JSON-ready: columns as float32, in base64; reasons once, and their positions."""
    reasons: dict[str, int] = {"": 0}
    positions = [reasons.setdefault(page_text(reason), len(reasons)) for reason in chart.reasons]
    columns = chart.segments.T
    return {
        "start": pack_floats(columns[0]),
        "stop": pack_floats(columns[1]),
        "value": pack_floats(columns[2]),
        "scores": [pack_floats(column) for column in columns[3:]],
        "contexts": list(map(page_text, chart.contexts)),
        "reasons": list(reasons),
        "reason": pack_floats(np.array(positions, dtype=np.float64)),
        "time": pack_floats(chart.curve[:, 0]),
        "curve": pack_floats(chart.curve[:, 1]),
    }


def pack_floats(values: npt.NDArray[np.float64]) -> str:
    """Return values as little-endian float32 in base64."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def score_limits(charts: Sequence[ChartData], threshold: float | None) -> tuple[float, float]:
    """Return the limits of the score axis: 0 to 1, or wider where a score or the threshold is."""
    values = [array for chart in charts for array in (chart.segments[:, 2:].ravel(), chart.curve[:, 1])]
    numbers = np.concatenate([*values, [0.0, 1.0] if threshold is None else [0.0, 1.0, threshold]])
    return float(np.nanmin(numbers)), float(np.nanmax(numbers))


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
