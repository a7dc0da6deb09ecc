"""The price of saving: a full stored run, replayed with gates and budgets, and measured against the labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from anyanomaly.api.dataset import Survey
from anyanomaly.core.budget import Budget
from anyanomaly.core.schedule import Pair
from anyanomaly.errors import UsageError
from anyanomaly.evaluation.alignment import select_classes, texts_of
from anyanomaly.evaluation.curve_meter import CurveMeter, average
from anyanomaly.evaluation.curve_result import BudgetCurve, CurvePoint, GateCurve, Kind
from anyanomaly.evaluation.replay_budget import Priorities, Replay, Saving, pairs_of, replay
from anyanomaly.evaluation.result import DatasetSelection
from anyanomaly.evaluation.scores import ScoredRun, SegmentRow
from anyanomaly.evaluation.yardsticks import PERFECT, RANDOM, perfect_priorities, random_priorities
from anyanomaly.registry import Registry
from anyanomaly.types import LabelledVideo

SHARES = (1.0, 0.5, 0.3, 0.2, 0.15, 0.1, 0.05, 0.02)
"""Budgets of the points, as shares of the pairs of segment and text."""
N_RANDOM = 10
"""Random priorities that are averaged."""


@dataclass(frozen=True, slots=True)
class CurvePlan:
    """What is replayed."""

    gates: Mapping[tuple[str, ...], Priorities]  # per curve: names of its gates, and their priorities of all pairs
    saving: Saving  # its budget is replaced by those of the points
    shares: Sequence[float] = SHARES
    n_random: int = N_RANDOM


def budget_curve(
    run: ScoredRun, survey: Survey, selection: DatasetSelection, registry: Registry, plan: CurvePlan
) -> BudgetCurve:
    """Replay a full run at every budget and measure it.

    :param run: in which every pair was asked about that a gate of the plan can choose.
    :raises DatasetError: when no class can be measured, with the reasons.
    :raises UsageError: when the run did not ask about pairs that a gate can choose.
    """
    rows = pairs_of(run.table)
    check_full(rows, plan)
    meter = CurveMeter(run, survey, selection, registry, plan.saving.mode)
    n_questions = sum(row.n_questions for row in rows.values())
    full = Replay(run.table, len(rows), sum(row.asked for row in rows.values()), n_questions)

    def draw(priorities: Priorities, *, quickly: bool = False) -> tuple[CurvePoint, ...]:
        measure = meter.measure_quickly if quickly else meter.measure
        replays = ((share, replay(run.table, priorities, _with_budget(plan.saving, share))) for share in plan.shares)
        return tuple(measure(outcome, share, n_questions) for share, outcome in replays)

    curves = [
        GateCurve(f" {plan.saving.mode} ".join(names), "gate" if len(names) == 1 else "combination", draw(priorities))
        for names, priorities in plan.gates.items()
    ]
    curves += _draw_yardsticks(draw, rows, meter, survey.videos, plan)
    config, clear = meter.config, plan.saving.clear
    return BudgetCurve(
        dataset=replace(selection, labels=survey.labels),
        config={key: value for key, value in run.header["config"].items() if key != "videos"},
        threshold=config.run.threshold,
        gate_rule=plan.saving.mode,
        gate_above=plan.saving.above,
        clear_below=clear.below if clear and clear.below >= 0 else None,
        clear_above=clear.above if clear and clear.above <= 1 else None,
        n_videos=len(run.table.videos),
        n_pairs=len(rows),
        n_questions=n_questions,
        n_random=plan.n_random,
        full=meter.measure(full, 1.0, n_questions),
        events=tuple(meter.events),
        curves=tuple(curves),
        notes=meter.notes,
        problems=meter.problems,
    )


def keep_selection(run: ScoredRun, survey: Survey, selection: DatasetSelection) -> ScoredRun:
    """Return the scores of the dataset's videos and classes alone; a note names videos that are left out.

    :raises UsageError: when the dataset has no such class.
    """
    classes = select_classes(survey.videos, selection.classes)
    texts = {video.id: texts_of(video, classes) for video in survey.videos}
    unlabelled = sorted(run.table.videos - set(texts))
    notes = tuple(f"Video '{video}' has scores and no labels; skipped." for video in unlabelled)
    pairs = {(video, text) for video, of_video in texts.items() for text in of_video}
    return replace(run, table=run.table.keep(pairs), notes=(*run.notes, *notes))


def check_full(rows: Mapping[Pair, SegmentRow], plan: CurvePlan) -> None:
    """:raises UsageError: when the stored run did not ask about pairs that a gate can choose."""
    missing = {pair for pair, row in rows.items() if not row.asked}
    choosable = {pair for priorities in plan.gates.values() for pair in missing if any(priorities[pair].values())}
    if choosable:
        raise UsageError(
            f"The run of the scores did not ask about {len(choosable):,} of {len(rows):,} segments and texts, so their "
            f"scores are unknown. Make scores of everything: run `anyanomaly eval` without --gate and --budget."
        )


def _draw_yardsticks(
    draw: Callable[..., tuple[CurvePoint, ...]],
    rows: Mapping[Pair, SegmentRow],
    meter: CurveMeter,
    videos: Sequence[LabelledVideo],
    plan: CurvePlan,
) -> Iterator[GateCurve]:
    """Yield the curves of random priorities and of the perfect gate."""
    asked = {pair for pair, row in rows.items() if row.asked}

    def keep_asked(priorities: Priorities, name: str) -> Priorities:
        """Return the priorities with 0 for pairs whose scores are unknown."""
        return {pair: values if pair in asked else {name: 0.0} for pair, values in priorities.items()}

    draws = [draw(keep_asked(random_priorities(rows, seed), RANDOM), quickly=True) for seed in range(plan.n_random)]
    kinds: list[tuple[Kind, tuple[CurvePoint, ...]]] = []
    if draws:
        kinds.append(("random", tuple(average(points) for points in zip(*draws, strict=True))))
    perfect = perfect_priorities(rows, meter.estimates.classes, videos)
    kinds.append(("perfect", draw(keep_asked(perfect, PERFECT))))
    yield from (GateCurve(kind, kind, points) for kind, points in kinds)


def _with_budget(saving: Saving, share: float) -> Saving:
    return replace(saving, budget=Budget("share", share))
