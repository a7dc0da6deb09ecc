"""Frames per second against AUC: our points in colour with the Pareto front, published points in grey."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyanomaly.api.safe_file import write_file
from anyanomaly.bench.results import ORACLE, ClassEntry, Results
from anyanomaly.errors import MissingRequirement
from anyanomaly.install import install_command
from anyanomaly.outside_text import terminal_line

MARKERS = "o^sDvP*X"
GREY = "0.55"


@dataclass(frozen=True, slots=True)
class Point:
    """One configuration on one dataset."""

    fps: float
    auc: float  # percent
    backend: str
    ablation: str
    interval: tuple[float, float] | None = None
    oracle: float | None = None  # the AUC under the published search


@dataclass(frozen=True, slots=True)
class Panel:
    """One dataset."""

    title: str
    ours: tuple[Point, ...]
    published: tuple[Point, ...]


def make_panels(results: Results) -> list[Panel]:
    """Return the points to plot, dataset by dataset."""
    protocol = next((name for name in results.recipe.protocols if name != ORACLE), ORACLE)
    all_panels = []
    for dataset in results.recipe.dataset:
        ours, published = [], []
        for entries in results.combinations(("backend", "ablation")):
            place = results.place({**entries, "dataset": dataset, "class": ClassEntry("average")})
            labels = (place.backend.label, place.ablation.label)
            fps, auc = results.fps(place), results.auc(place, protocol)
            if fps is not None and auc is not None:
                oracle = results.auc(place, ORACLE)
                ours.append(Point(fps, auc[0], *labels, auc[1], oracle[0] if oracle else None))
            published_fps, published_auc = results.published_fps(place), results.published_auc(place)
            if published_fps is not None and published_auc is not None:
                published.append(Point(published_fps, published_auc, *labels))
        if ours or published:
            all_panels.append(Panel(dataset.label, tuple(ours), tuple(published)))
    return all_panels


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other beats in both speed and AUC, the slowest first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (-point.fps, -point.auc)):
        if not front or point.auc > front[-1].auc:
            front.append(point)
    return front[::-1]


def draw(results: Results, title: str, machine: str, folder: Path) -> list[Path]:
    """Write ``fps-auc.svg`` and ``fps-auc.png``, and return their paths; none when no speed was measured.

    :raises MissingRequirement: without matplotlib. :raises OutputError: when a file cannot be written.
    """
    all_panels = make_panels(results)
    if not any(panel.ours for panel in all_panels):
        return []
    try:
        import matplotlib
    except ImportError as error:
        raise MissingRequirement(f"The plot needs matplotlib. Run: {install_command('anyanomaly[bench]')}") from error
    matplotlib.rcdefaults()  # not those of a matplotlibrc in the current folder, which could start LaTeX
    matplotlib.use("agg")
    matplotlib.rcParams.update({"svg.hashsalt": "anyanomaly", "font.size": 9, "svg.fonttype": "none"})
    matplotlib.rcParams["text.parse_math"] = False  # a label with two $ is no formula
    from matplotlib import pyplot

    n_panels = len(all_panels)
    figure, axes = pyplot.subplots(1, n_panels, figsize=(5.2 * n_panels, 4.2), squeeze=False, layout="constrained")
    colours = {entry.label: f"C{number % 10}" for number, entry in enumerate(results.recipe.backend)}
    markers = {entry.label: MARKERS[number % len(MARKERS)] for number, entry in enumerate(results.recipe.ablation)}
    for axis, panel in zip(axes[0], all_panels, strict=True):
        _draw_panel(axis, panel, colours, markers)
    axes[0][0].set_ylabel("AUC in %, nothing tuned on test labels")
    _draw_legend(figure, all_panels, colours, markers)
    figure.suptitle(f"{terminal_line(title)}\n{terminal_line(machine)}", fontsize=9)
    paths = [folder / f"fps-auc.{suffix}" for suffix in ("svg", "png")]
    try:
        for path in paths:
            image = io.BytesIO()
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(image, format=path.suffix[1:], dpi=150, metadata=metadata)
            write_file(path, image.getvalue())
    finally:
        pyplot.close(figure)
    return paths


def _draw_panel(axis: Any, panel: Panel, colours: dict[str, str], markers: dict[str, str]) -> None:
    for point in panel.published:
        axis.plot(point.fps, point.auc, "D", color=GREY, markersize=5)
        axis.annotate(terminal_line(point.backend), (point.fps, point.auc), xytext=(5, 4), textcoords="offset points",
                      fontsize=7, color=GREY)  # fmt: skip
    for point in panel.ours:
        colour, marker = colours[point.backend], markers[point.ablation]
        if point.oracle is not None:
            axis.plot([point.fps] * 2, [point.auc, point.oracle], color=colour, lw=0.8, alpha=0.5)
            axis.plot(point.fps, point.oracle, marker, color=colour, mfc="white", markersize=5, alpha=0.7)
        if point.interval is not None:
            low, high = point.interval
            axis.errorbar(point.fps, point.auc, yerr=[[max(point.auc - low, 0)], [max(high - point.auc, 0)]],
                          color=colour, lw=0.8, capsize=3, alpha=0.45)  # fmt: skip
        axis.plot(point.fps, point.auc, marker, color=colour, markersize=7)
    front = pareto_front(panel.ours)
    if len(front) > 1:
        front_fps, front_aucs = [point.fps for point in front], [point.auc for point in front]
        axis.step(front_fps, front_aucs, where="pre", color="0.2", lw=1, ls="--", zorder=0)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    low, high = axis.get_xlim()
    labelled_digits = "2345678" if high < 10 * low else "25" if high < 200 * low else ""  # those that fit beside the 1
    axis.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in labelled_digits else "")
    axis.set_xlabel("frames per second, as the paper counts")
    axis.set_title(terminal_line(panel.title))
    axis.grid(alpha=0.25, which="both", lw=0.5)


def _draw_legend(figure: Any, all_panels: Sequence[Panel], colours: dict[str, str], markers: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    ours = [point for panel in all_panels for point in panel.ours]
    backends = [name for name in colours if name and any(point.backend == name for point in ours)]
    ablations = [name for name in markers if name and any(point.ablation == name for point in ours)]
    handles = [Line2D([], [], color=colours[name], marker="s", ls="", label=terminal_line(name)) for name in backends]
    handles += [
        Line2D([], [], color="0.3", marker=markers[name], ls="", label=terminal_line(name)) for name in ablations
    ]
    if any(point.oracle is not None for point in ours):
        handles.append(Line2D([], [], color="0.3", marker="o", mfc="white", ls="", label=f"{ORACLE}: tuned on labels"))
    if any(len(pareto_front(panel.ours)) > 1 for panel in all_panels):
        handles.append(Line2D([], [], color="0.2", ls="--", lw=1, label="Pareto front"))
    if any(panel.published for panel in all_panels):
        handles.append(Line2D([], [], color=GREY, marker="D", ls="", label="published, on the authors' machine"))
    n_columns = 2 * len(all_panels)
    figure.legend(handles=handles, loc="outside lower center", ncols=n_columns, fontsize=8, frameon=False)
