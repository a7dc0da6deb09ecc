"""A budget curve as tables of text and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyanomaly.time_text import time_text

if TYPE_CHECKING:
    from anyanomaly.evaluation.curve_result import BudgetCurve, CurvePoint, Figure, FullRunEvent, GateCurve
    from anyanomaly.plots.cost_curves import CostPanel

HEAD = ("gate", "budget", "asked", "AUC in %", "minus full", "event recall in %", "false/h", "lost events")
MAX_LOST = 20
"""Lost events that are listed; the JSON file has all."""
_NAMES = {"random": "random priorities", "perfect": "perfect gate (labels)"}


def curve_rows(curve: BudgetCurve) -> list[list[str]]:
    """Return a row per gate and budget, after one of the full run; the columns are those of ``HEAD``."""
    n_events = len(curve.events)
    rows = [["full run", "", *_cells(curve.full, n_events)]]
    for gate in curve.curves:
        rows += [[curve_name(gate), f"{100 * point.budget:g} %", *_cells(point, n_events)] for point in gate.points]
    return rows


def lost_rows(curve: BudgetCurve) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of the events that a gate loses: per gate the largest budget at which it does.

    Events that are lost at the largest budgets come first. An event of a yardstick alone is not listed.
    """
    gates = [gate for gate in curve.curves if gate.kind in ("gate", "combination")]
    largest = {
        event: [max((point.budget for point in gate.points if event in point.lost), default=0.0) for gate in gates]
        for event in curve.events
    }
    lost = sorted((event for event in curve.events if any(largest[event])), key=lambda event: -max(largest[event]))
    head = ["video", "text", "start", "stop", *(f"lost by {curve_name(gate)} at" for gate in gates)]
    return head, [[*_place(event), *(f"{100 * at:g} %" if at else "-" for at in largest[event])] for event in lost]


def curve_name(gate: GateCurve) -> str:
    """Return the name of a curve as tables show it."""
    return _NAMES.get(gate.kind, gate.name)


def summary(curve: BudgetCurve) -> str:
    """Return what was replayed, as one sentence."""
    limits = [
        f"at {sign} {limit:g}"
        for sign, limit in (("most", curve.clear_below), ("least", curve.clear_above))
        if limit is not None
    ]
    clear = f" Where the first context's score is {' or '.join(limits)}, the others are not asked." if limits else ""
    return (
        f"{curve.n_questions:,} questions about {curve.n_pairs:,} segments and texts of {curve.n_videos} videos; "
        f"events at the threshold {curve.threshold:g}. Budgets are shares of the segments.{clear}"
    )


def explain(curve: BudgetCurve) -> list[str]:
    """Return what the columns mean, a line each."""
    return [
        "asked: share of the full run's questions. AUC: mean over classes, protocol fixed. lost events: events of the "
        "full run that the saving loses.",
        "[95 % bootstrap interval over videos]; "
        f"random priorities: mean of {curve.n_random} draws; perfect gate: priorities from the labels, an upper bound.",
    ]


def cost_panels(curve: BudgetCurve) -> list[CostPanel]:
    """Return the panels of the picture."""
    from anyanomaly.plots.cost_curves import CostCurve, CostPanel, CostPoint

    def panel(label: str, name: str, is_fraction: bool = True) -> CostPanel:
        curves = []
        for gate in curve.curves:
            figures = [(point.questions, getattr(point, name)) for point in gate.points]
            points = [
                CostPoint(share, f.value, f.interval) for share, f in figures if share > 0 and f.value is not None
            ]
            kind: Any = gate.kind if gate.kind in ("random", "perfect") else "gate"
            curves.append(CostCurve(curve_name(gate), kind, points))
        return CostPanel(label, getattr(curve.full, name).value, curves, is_fraction)

    return [
        panel("event recall", "event_recall"),
        panel("AUC, mean over classes", "auc"),
        panel("false alarms per hour", "false_alarms_per_hour", is_fraction=False),
    ]


def _cells(point: CurvePoint, n_events: int) -> list[str]:
    return [
        f"{100 * point.questions:.1f} %",
        _percent(point.auc),
        _percent(point.auc_difference, "+.2f"),
        _percent(point.event_recall),
        _number(point.false_alarms_per_hour),
        f"{point.n_lost:g}/{n_events}",
    ]


def _place(event: FullRunEvent) -> list[str]:
    return [event.video, event.text, time_text(event.start_s, 1), time_text(event.stop_s, 1)]


def _percent(figure: Figure, form: str = ".1f") -> str:
    return _format(figure, 100, form)


def _number(figure: Figure) -> str:
    return _format(figure, 1, ".1f")


def _format(figure: Figure, factor: float, form: str) -> str:
    if figure.value is None:
        return "-"
    bounds = f" [{', '.join(f'{factor * bound:{form}}' for bound in figure.interval)}]" if figure.interval else ""
    return f"{factor * figure.value:{form}}{bounds}"
