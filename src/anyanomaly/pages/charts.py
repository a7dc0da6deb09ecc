"""Charts by Bokeh in a page: its script, and the chart of scores over time that a script of the page fills with data.

A page has one description of the chart, which its script instantiates per chart with BokehJS's own functions, when the
chart is scrolled into view. So the page stays small, and needs no callback of Bokeh's that a strict policy forbids.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

HEIGHT = 132  # pixels of a chart, axis included
LEFT, RIGHT = 40, 24  # pixels beside its frame

_ID = re.compile(r'"id": "(p\d+)"|"root_id": "(p\d+)"')


@cache
def bokeh_script() -> str:
    """Return the source of BokehJS, without widgets, tables and WebGL."""
    from bokeh.resources import Resources

    script: str = Resources(mode="inline", components=["bokeh"], log_level="error").js_raw[0]
    return script


def score_chart(n_contexts: int) -> dict[str, Any]:
    """Return the description of a chart of scores over time, JSON-ready and the same in every process.

    Its models have names: ``figure``; the data sources ``curve``, ``raw``, ``gate`` (the scores of gates, where nothing
    was asked) and ``context-N`` (columns ``x``, ``y``), and ``events``, ``truth`` and ``unasked`` (columns ``left``,
    ``right``, ``bottom``, ``top``); their glyphs ``NAME-glyph``, renderers ``NAME-renderer``; the span ``threshold``;
    the axes ``time`` and ``score``, the formatter ``ticks`` and the ``grid``. x is in milliseconds.

    :param n_contexts: number of context curves.
    """
    from bokeh.embed import json_item
    from bokeh.models import BoxZoomTool, Range1d, Span, WheelZoomTool
    from bokeh.plotting import figure

    plot = figure(
        name="figure",
        height=HEIGHT,
        sizing_mode="stretch_width",
        x_axis_type="datetime",
        x_range=Range1d(0, 1000, min_interval=400),
        y_range=Range1d(0, 1),
        tools=[BoxZoomTool(dimensions="width"), WheelZoomTool(dimensions="width", modifiers={"ctrl": True})],
        toolbar_location=None,
        min_border_left=LEFT,
        min_border_right=RIGHT,
        min_border_top=4,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
    )
    _add_areas(plot, "unasked", hatch_pattern="right_diagonal_line", hatch_scale=10, hatch_weight=1)
    _add_areas(plot, "events")
    _add_areas(plot, "truth")
    for position in reversed(range(n_contexts)):
        _add_line(
            plot,
            f"context-{position}",
            line_width=1.25,
            line_dash=["solid", "dashed", "dotted", "dotdash"][position % 4],
        )
    _add_line(plot, "gate", line_width=1, line_dash=[2, 3])
    _add_line(plot, "raw", line_width=1)
    _add_line(plot, "curve", line_width=2)
    plot.add_layout(Span(name="threshold", dimension="width", location=0, line_dash="dashed", line_width=1))
    _style_axes(plot)
    return _with_fixed_ids(json_item(plot))


def _add_line(plot: Any, name: str, **style: Any) -> None:
    from bokeh.models import ColumnDataSource

    source = ColumnDataSource({"x": [], "y": []}, name=name)
    renderer = plot.line("x", "y", source=source, name=f"{name}-renderer", **style)
    renderer.glyph.name = f"{name}-glyph"
    renderer.nonselection_glyph = renderer.muted_glyph = None


def _add_areas(plot: Any, name: str, **style: Any) -> None:
    from bokeh.models import ColumnDataSource

    source = ColumnDataSource({"left": [], "right": [], "bottom": [], "top": []}, name=name)
    renderer = plot.quad(
        "left", "right", "bottom", "top", source=source, name=f"{name}-renderer", **{"line_width": 1, **style}
    )
    renderer.glyph.name = f"{name}-glyph"
    renderer.nonselection_glyph = renderer.muted_glyph = None


def _style_axes(plot: Any) -> None:
    from bokeh.models import DatetimeTickFormatter

    plot.xaxis.name, plot.yaxis.name = "time", "score"
    plot.xgrid.grid_line_color = None
    plot.ygrid.name = "grid"
    units = ("seconds", "minsec", "minutes", "hourmin", "hours", "days", "months", "years")
    plot.xaxis.formatter = DatetimeTickFormatter(
        name="ticks", microseconds="%H:%M:%S.%1N", milliseconds="%H:%M:%S.%1N", **dict.fromkeys(units, "%H:%M:%S")
    )
    plot.yaxis.ticker.desired_num_ticks = 3
    plot.yaxis.ticker.num_minor_ticks = plot.xaxis.ticker.num_minor_ticks = 0
    for axis in (plot.xaxis, plot.yaxis):
        axis.axis_line_color = None
        axis.major_tick_in, axis.major_tick_out = 0, 3
        axis.major_label_text_font_size = "11px"


def _with_fixed_ids(item: dict[str, Any]) -> dict[str, Any]:
    """Return a description whose models are numbered from 0: Bokeh counts them over the whole process."""
    text = json.dumps(item)
    ids: dict[str, str] = {}
    for match in _ID.finditer(text):
        ids.setdefault(match[1] or match[2], f"m{len(ids)}")
    text = re.sub(r'"(p\d+)"', lambda match: f'"{ids.get(match[1], match[1])}"', text)
    fixed: dict[str, Any] = json.loads(text)
    return fixed
