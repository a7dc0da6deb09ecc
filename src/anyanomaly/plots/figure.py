"""Draws panels of scores over time with matplotlib, without its global state and without a display."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from anyanomaly.core.asked_text import UNASKED
from anyanomaly.outside_text import terminal_line
from anyanomaly.plots.panels import Panel
from anyanomaly.plots.series import Series, reduce_points
from anyanomaly.plots.style import (
    CONTEXT_STYLES,
    EVENT_STYLE,
    RAW_STYLE,
    SHADE_STYLE,
    SMOOTH_STYLE,
    THRESHOLD_STYLE,
    TRUTH_STYLE,
    UNASKED_RAW_STYLE,
    UNASKED_STYLE,
    settings,
)
from anyanomaly.time_text import time_text

_WIDTH_IN = 12.0
_LEFT_IN, _RIGHT_IN = 0.65, 0.35
_AXES_IN, _GAP_IN = 1.25, 0.6
_TOP_IN, _LEGEND_ROW_IN, _BOTTOM_IN = 0.35, 0.22, 0.65
"""Sizes in inches: setting them is ten times faster than letting matplotlib find a layout."""

_LEGEND_COLUMNS = 8
_DPI = 150
_MAX_POINTS = 2400
"""Points of a curve: two per pixel column, its lowest and its highest value."""

_MAX_SPANS = 600
"""Hatched parts of a panel that were not asked about."""

_DENSE = 1200
"""With more points than this, curves are thin lines."""

_LANE, _LANE_GAP = 0.12, 0.05
"""Height of the lanes of events and ground truth, and of the gap between them, as fractions of that of the scores."""

_MAX_TEXT, _MAX_VIDEO = 80, 48
"""Characters of an event text and of the id of a video that are shown."""

_NO_XML = re.compile("[\ufffe\uffff]")
_TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_MAX_TICKS = 12


def draw(panels: Sequence[Panel], threshold: float, n_dropped: int, kind: str) -> bytes:
    """Return the image of panels, one below the other. The same panels give the same bytes.

    :param threshold: of the events. :param n_dropped: panels that are not in the image.
    :param kind: "png", "svg" or "pdf".
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box is drawn in its place
        matplotlib.rcdefaults()  # not those of a matplotlibrc in the current folder
        matplotlib.rcParams.update(settings())
        figure = Figure()
        handles = _legend_handles(panels, threshold)
        n_rows, n_legend_rows = max(1, len(panels)), -(-len(handles) // _LEGEND_COLUMNS)
        top_in = _TOP_IN + n_legend_rows * _LEGEND_ROW_IN
        height_in = top_in + n_rows * (_AXES_IN + _GAP_IN) - _GAP_IN + _BOTTOM_IN
        figure.set_size_inches(_WIDTH_IN, height_in)
        axes = figure.subplots(n_rows, 1, squeeze=False)[:, 0]
        figure.subplots_adjust(
            left=_LEFT_IN / _WIDTH_IN,
            right=1 - _RIGHT_IN / _WIDTH_IN,
            top=1 - top_in / height_in,
            bottom=_BOTTOM_IN / height_in,
            hspace=_GAP_IN / _AXES_IN,
        )
        for number, (axis, panel) in enumerate(zip(axes, panels, strict=False)):
            _draw_panel(axis, panel, threshold, str(number))
        if not panels:
            axes[0].set_axis_off()
            axes[0].text(0.5, 0.5, "There are no scores.", ha="center", va="center")
        figure.legend(handles=handles, loc="upper left", ncols=_LEGEND_COLUMNS, fontsize=8, frameon=False)
        label = f"time in the video; {_count_panels(n_dropped)}" if n_dropped else "time in the video"
        figure.text(0.5, 0.15 / height_in, label, ha="center", fontsize=8)
        image = io.BytesIO()
        metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(image, format=kind, dpi=_DPI, metadata=metadata[kind])
    return image.getvalue()


def _draw_panel(axis: Any, panel: Panel, threshold: float, name: str) -> None:
    """Draw one panel.

    :param name: ends the ids of the parts in SVG, such as ``threshold-0`` and ``events-0-2``.
    """
    for number, series in enumerate(panel.contexts.values() if len(panel.contexts) > 1 else ()):  # one is the score
        _draw_curve(axis, series, CONTEXT_STYLES[number % len(CONTEXT_STYLES)], f"context-{name}-{number}")
    _draw_curve(axis, panel.raw, RAW_STYLE, f"raw-{name}")
    if panel.unasked_spans.total_s:
        _draw_curve(axis, panel.unasked, UNASKED_RAW_STYLE, f"gate-{name}")
    _draw_curve(axis, panel.smooth, SMOOTH_STYLE, f"smoothed-{name}")
    axis.axhline(threshold, gid=f"threshold-{name}", **THRESHOLD_STYLE)
    axis.set_xlim(panel.start_s, max(panel.stop_s, panel.start_s + 1e-3))
    low, high = _limits(panel)
    if unasked := panel.unasked_spans.reduce(_MAX_SPANS):
        widths = [(start_s, stop_s - start_s) for start_s, stop_s in unasked]
        axis.broken_barh(widths, (low, high - low), gid=f"unasked-{name}", **UNASKED_STYLE)
    ticks = {tick: f"{tick:g}" for tick in (0, 0.5, 1) if low <= tick <= high}
    axis.grid(axis="y", color="0.88", lw=0.6)
    bottom = low
    for event in panel.events:
        axis.axvspan(event.start_s, event.stop_s, **SHADE_STYLE)
    events = [(event.start_s, event.stop_s) for event in panel.events]
    for lane, spans, style in (("events", events, EVENT_STYLE), ("truth", panel.truth, TRUTH_STYLE)):
        if spans is None:
            continue
        top = bottom - _LANE_GAP * (high - low)
        bottom = top - _LANE * (high - low)
        axis.axhspan(bottom, top, facecolor="white", edgecolor="0.7", lw=0.5, zorder=5)
        for number, (start_s, stop_s) in enumerate(spans):
            axis.fill_between([start_s, stop_s], bottom, top, gid=f"{lane}-{name}-{number}", **style)
        ticks[(bottom + top) / 2] = lane
    axis.set_ylim(bottom - _LANE_GAP * (high - low), high + _LANE_GAP * (high - low))
    axis.set_yticks(list(ticks), labels=list(ticks.values()))
    axis.set_title(_shorten(panel.text, _MAX_TEXT), loc="left", fontsize=10)
    n_events = f"{len(events)} {'event' if len(events) == 1 else 'events'}"
    if unasked:
        part = 1 - panel.unasked_spans.total_s / max(panel.stop_s - panel.start_s, 1e-9)
        n_events = f"asked about {max(part, 0):.0%} of the time, {n_events}"
    axis.set_title(f"{n_events}, {_shorten(panel.video, _MAX_VIDEO)}", loc="right", fontsize=8, color="0.25")
    _format_time(axis, panel.stop_s - panel.start_s)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _draw_curve(axis: Any, series: Series, style: dict[str, Any], name: str) -> None:
    times_s, values = reduce_points(*series.points(), _MAX_POINTS)
    width = style["lw"] * (0.5 if len(times_s) > _DENSE else 1)
    axis.plot(times_s, values, **{**style, "lw": width}, gid=name)


def _limits(panel: Panel) -> tuple[float, float]:
    """Return the lowest and highest score to show: 0 and 1, unless the scoring `published` gives others."""
    values = np.concatenate(
        [series.points()[1] for series in (panel.raw, panel.unasked, panel.smooth, *panel.contexts.values())]
    )
    values = values[np.isfinite(values)]
    return (min(0.0, float(values.min())), max(1.0, float(values.max()))) if len(values) else (0.0, 1.0)


def _format_time(axis: Any, span_s: float) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    step_s = next((step for step in _TICKS_S if span_s / step <= _MAX_TICKS), 86400 * np.ceil(span_s / 86400 / 12))
    axis.xaxis.set_major_locator(MultipleLocator(step_s))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda time_s, _: time_text(time_s, int(step_s < 1))))
    axis.tick_params(labelsize=8)


def _legend_handles(panels: Sequence[Panel], threshold: float) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    contexts = list(dict.fromkeys(name for panel in panels if len(panel.contexts) > 1 for name in panel.contexts))
    handles: list[Any] = [Line2D([], [], **SMOOTH_STYLE, label="smoothed score")]
    handles.append(Line2D([], [], **RAW_STYLE, label="score per segment"))
    handles += [
        Line2D([], [], **CONTEXT_STYLES[number % len(CONTEXT_STYLES)], label=f"context {_shorten(name, 24)}")
        for number, name in enumerate(contexts)
    ]
    handles.append(Line2D([], [], **THRESHOLD_STYLE, label=f"threshold {threshold:g}"))
    if any(panel.events for panel in panels):
        handles.append(Patch(**EVENT_STYLE, label="event"))
    if any(panel.unasked_spans.total_s for panel in panels):
        handles.append(Patch(**UNASKED_STYLE, label=f"{UNASKED}: score of the gates"))
    if any(panel.truth is not None for panel in panels):
        handles.append(Patch(**TRUTH_STYLE, label="ground truth"))
    return handles


def _count_panels(n_dropped: int) -> str:
    panels = "panel with lower scores is" if n_dropped == 1 else "panels with lower scores are"
    return f"{n_dropped} more {panels} not shown"


def _shorten(text: str, max_length: int) -> str:
    """Return a text as one line of printable characters, cut with an ellipsis."""
    line = _NO_XML.sub("\ufffd", terminal_line(text[: 2 * max_length]))
    return line if len(line) <= max_length and len(text) <= 2 * max_length else f"{line[: max_length - 1]}…"
