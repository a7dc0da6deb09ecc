"""Frames per second against AUC: ours in colour with the Pareto front, published points in grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyanomaly.bench.results import ORACLE, ClassEntry, Results
from anyanomaly.errors import MissingRequirement, OutputError
from anyanomaly.install import install_command

MARKERS = "o^sDvP*X"
GREY = "0.55"


@dataclass(frozen=True, slots=True)
class Point:
    """One configuration on one data set."""

    fps: float
    auc: float  # percent
    backend: str
    ablation: str
    interval: tuple[float, float] | None = None
    oracle: float | None = None  # the AUC under the published search


@dataclass(frozen=True, slots=True)
class Panel:
    """One data set."""

    title: str
    ours: tuple[Point, ...]
    published: tuple[Point, ...]


def panels(results: Results) -> list[Panel]:
    """Return what there is to plot, data set by data set."""
    protocol = next((each for each in results.recipe.protocols if each != ORACLE), ORACLE)
    found = []
    for dataset in results.recipe.dataset:
        ours, published = [], []
        for entries in results.combinations(("backend", "ablation")):
            place = results.place({**entries, "dataset": dataset, "class": ClassEntry("average")})
            names = (place.backend.label, place.ablation.label)
            fps, auc = results.fps(place), results.auc(place, protocol)
            if fps is not None and auc is not None:
                oracle = results.auc(place, ORACLE)
                ours.append(Point(fps, auc[0], *names, auc[1], oracle[0] if oracle else None))
            published_auc, published_fps = results.published_auc(place), results.published_fps(place)
            if published_auc is not None and published_fps is not None:
                published.append(Point(published_fps, published_auc, *names))
        if ours or published:
            found.append(Panel(dataset.label, tuple(ours), tuple(published)))
    return found


def pareto(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other beats in both speed and AUC, from the slowest on."""
    front: list[Point] = []
    for point in sorted(points, key=lambda each: (-each.fps, -each.auc)):
        if not front or point.auc > front[-1].auc:
            front.append(point)
    return front[::-1]


def draw(results: Results, title: str, machine: str, folder: Path) -> list[Path]:
    """Write ``fps-auc.svg`` and ``fps-auc.png``; nothing when no speed was measured.

    :raises MissingRequirement: without matplotlib. :raises OutputError: when a file cannot be written.
    """
    shown = panels(results)
    if not any(panel.ours for panel in shown):
        return []
    try:
        import matplotlib
    except ImportError as error:
        raise MissingRequirement(f"The plot needs matplotlib. Run: {install_command('anyanomaly[bench]')}") from error
    matplotlib.use("agg")
    matplotlib.rcParams.update({"svg.hashsalt": "anyanomaly", "font.size": 9, "svg.fonttype": "none"})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(shown), figsize=(5.2 * len(shown), 4.2), squeeze=False, layout="constrained")
    colours = {choice.label: f"C{at % 10}" for at, choice in enumerate(results.recipe.backend)}
    markers = {choice.label: MARKERS[at % len(MARKERS)] for at, choice in enumerate(results.recipe.ablation)}
    for axis, panel in zip(axes[0], shown, strict=True):
        _panel(axis, panel, colours, markers)
    axes[0][0].set_ylabel("AUC in %, nothing tuned on test labels")
    _legend(figure, shown, colours, markers)
    figure.suptitle(f"{title}\n{machine}", fontsize=9)
    paths = [folder / f"fps-auc.{suffix}" for suffix in ("svg", "png")]
    try:
        for path in paths:
            figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    except OSError as error:
        raise OutputError(f"Cannot write the plot {path}: {error.strerror}.") from error
    finally:
        pyplot.close(figure)
    return paths


def _panel(axis: Any, panel: Panel, colours: dict[str, str], markers: dict[str, str]) -> None:
    for point in panel.published:
        axis.plot(point.fps, point.auc, "D", color=GREY, markersize=5)
        axis.annotate(point.backend, (point.fps, point.auc), xytext=(5, 4), textcoords="offset points",
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
    front = pareto(panel.ours)
    if len(front) > 1:
        axis.step([p.fps for p in front], [p.auc for p in front], where="pre", color="0.2", lw=1, ls="--", zorder=0)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    low, high = axis.get_xlim()
    told = "2345678" if high < 10 * low else "25" if high < 200 * low else ""  # what there is room for, beside 1
    axis.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in told else "")
    axis.set_xlabel("frames per second, as the paper counts")
    axis.set_title(panel.title)
    axis.grid(alpha=0.25, which="both", lw=0.5)


def _legend(figure: Any, shown: Sequence[Panel], colours: dict[str, str], markers: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    ours = [point for panel in shown for point in panel.ours]
    backends = [name for name in colours if name and any(point.backend == name for point in ours)]
    ablations = [name for name in markers if name and any(point.ablation == name for point in ours)]
    entries = [Line2D([], [], color=colours[name], marker="s", ls="", label=name) for name in backends]
    entries += [Line2D([], [], color="0.3", marker=markers[name], ls="", label=name) for name in ablations]
    if any(point.oracle is not None for point in ours):
        entries.append(Line2D([], [], color="0.3", marker="o", mfc="white", ls="", label=f"{ORACLE}: tuned on labels"))
    if any(len(pareto(panel.ours)) > 1 for panel in shown):
        entries.append(Line2D([], [], color="0.2", ls="--", lw=1, label="Pareto front"))
    if any(panel.published for panel in shown):
        entries.append(Line2D([], [], color=GREY, marker="D", ls="", label="published, on the authors' machine"))
    figure.legend(handles=entries, loc="outside lower center", ncols=2 * len(shown), fontsize=8, frameon=False)
