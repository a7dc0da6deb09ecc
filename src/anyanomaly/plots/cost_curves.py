"""Draws figures against the share of questions that a run asks, a curve per gate."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from anyanomaly.errors import MissingRequirement
from anyanomaly.install import install_command
from anyanomaly.outside_text import terminal_line
from anyanomaly.plots.style import settings

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = "osD^vP"
_YARDSTICKS: dict[str, dict[str, Any]] = {
    "random": {"color": "0.55", "ls": (0, (1, 1.5)), "marker": "x", "markersize": 4},
    "perfect": {"color": "0.15", "ls": (0, (5, 2)), "marker": "+", "markersize": 6},
}
_WIDTH_IN, _HEIGHT_IN = 13.0, 4.4
_DPI = 150
_TICKS = (1, 2, 5, 10, 20, 30, 50, 100)


@dataclass(frozen=True, slots=True)
class CostPoint:
    """A figure at one share of the questions."""

    share: float  # above 0, at most 1
    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class CostCurve:
    """One figure of one gate."""

    name: str
    kind: Literal["gate", "random", "perfect"]
    points: Sequence[CostPoint]


@dataclass(frozen=True, slots=True)
class CostPanel:
    """One figure: its axis, its curves, and its value when everything is asked."""

    label: str
    full: float | None
    curves: Sequence[CostCurve]
    is_fraction: bool = True  # the axis ends at 1


def draw_costs(panels: Sequence[CostPanel], title: str, kind: str) -> bytes:
    """Return the image of panels side by side. The same panels give the same bytes.

    :param kind: "png", "svg" or "pdf".
    :raises MissingRequirement: without matplotlib.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingRequirement(f"The plot needs matplotlib. Run: {install_command('anyanomaly[plot]')}") from error
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        matplotlib.rcdefaults()  # not those of a matplotlibrc in the current folder
        matplotlib.rcParams.update(settings())
        figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for number, (axis, panel) in enumerate(zip(axes, panels, strict=True)):
            _draw_panel(axis, panel, number)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8, frameon=False)
        figure.suptitle(terminal_line(title), fontsize=10)
        image = io.BytesIO()
        metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(image, format=kind, dpi=_DPI, metadata=metadata[kind])
    return image.getvalue()


def _draw_panel(axis: Any, panel: CostPanel, number: int) -> None:
    if panel.full is not None:
        axis.axhline(panel.full, color="0.3", lw=0.9, label="full run", gid=f"full-{number}")
    gates = [curve for curve in panel.curves if curve.kind == "gate"]
    for curve in panel.curves:
        points = sorted(curve.points, key=lambda point: point.share)
        shares, values = [point.share for point in points], [point.value for point in points]
        if curve.kind == "gate":
            position = gates.index(curve)
            colour = _COLOURS[position % len(_COLOURS)]
            style = {"color": colour, "marker": _MARKERS[position % len(_MARKERS)], "markersize": 4, "lw": 1.5}
            spread = [point.interval or (math.nan, math.nan) for point in points]
            lows, highs = [low for low, _ in spread], [high for _, high in spread]
            axis.fill_between(shares, lows, highs, color=colour, alpha=0.1, lw=0)
        else:
            style = {**_YARDSTICKS[curve.kind], "lw": 1.2}
        axis.plot(shares, values, label=terminal_line(curve.name), gid=f"curve-{number}-{curve.kind}", **style)
    axis.set_xscale("log")
    lowest = min((point.share for curve in panel.curves for point in curve.points), default=0.01)
    ticks = [tick for tick in _TICKS if tick / 100 >= lowest * 0.9]
    axis.set_xticks([tick / 100 for tick in ticks], labels=[f"{tick} %" for tick in ticks], fontsize=8)
    axis.set_xticks([], minor=True)
    axis.set_xlabel("questions, as a share of the full run's")
    axis.set_title(panel.label, fontsize=10)
    if panel.is_fraction:
        axis.set_ylim(top=1.02)
    else:
        axis.set_ylim(bottom=0)
    axis.grid(alpha=0.25, lw=0.5)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
