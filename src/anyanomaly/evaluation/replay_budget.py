"""What a run with a gate and a budget would have asked and scored, from a stored run in which everything was asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from anyanomaly.core.budget import Budget
from anyanomaly.core.gate import GateMode, combine_priorities
from anyanomaly.core.schedule import Pair, Schedule
from anyanomaly.engine.settings import ClearRule
from anyanomaly.evaluation.scores import ScoreTable, SegmentRow

Priorities: TypeAlias = Mapping[Pair, Mapping[str, float]]
"""Of each segment and text: gate name to priority, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Saving:
    """What a run asks less than everything."""

    budget: Budget | None = None  # None: no limit
    mode: GateMode = "or"  # how the priorities of several gates become one
    above: float = 0.0  # only pairs whose priority is above this are asked, in [0, 1)
    clear: ClearRule | None = None  # None: all contexts are asked


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """The scores that the run would have had, and what it would have asked."""

    table: ScoreTable
    n_pairs: int  # segments times texts
    n_asked: int  # of these, how many are asked about
    n_questions: int


def replay(table: ScoreTable, priorities: Priorities, saving: Saving) -> Replay:
    """Return what a run with these priorities would have scored: the same choice as that of the engine.

    All videos share the budget, as in a run.

    :param table: of a run that asked about every pair that can be chosen.
    :param priorities: of all pairs of ``table``; per pair in the order in which the run names its gates.
    """
    replayed = ScoreTable()
    rows = pairs_of(table)
    asked = _choose(rows, priorities, saving)
    n_questions = 0
    for pair, row in rows.items():
        outcome = asked.get(pair) or _unasked(row)
        n_questions += outcome.n_questions
        replayed.add(pair.video, pair.text, replace(outcome, priorities=priorities[pair]))
    return Replay(replayed, len(rows), len(asked), n_questions)


def pairs_of(table: ScoreTable) -> dict[Pair, SegmentRow]:
    """Return each segment and text with its scores: video by video in the order of time, text by text, as in a run."""
    texts_by_video: dict[str, list[str]] = {}
    for video, text in table.pairs():
        texts_by_video.setdefault(video, []).append(text)
    pairs: dict[Pair, SegmentRow] = {}
    for video, texts in texts_by_video.items():
        rows_by_start: dict[int, dict[str, SegmentRow]] = {}
        for text in texts:
            for row in table.rows(video, text):
                rows_by_start.setdefault(row.start, {})[text] = row
        for _, rows in sorted(rows_by_start.items()):
            pairs.update({Pair(video, row.segment, text): row for text, row in rows.items()})
    return pairs


def clear_row(row: SegmentRow, clear: ClearRule | None) -> SegmentRow:
    """Return the scores that a run with a rule for clear scores has: only the first context where it is clear."""
    first = next(iter(row.scores), None)
    if clear is None or first is None or first in row.unasked or not clear.is_clear(row.scores[first]):
        return row
    scores = {name: score if name == first else math.nan for name, score in row.scores.items()}
    return replace(row, scores=scores, unasked=frozenset(scores) - {first})


def _choose(rows: Mapping[Pair, SegmentRow], priorities: Priorities, saving: Saving) -> dict[Pair, SegmentRow]:
    """Return the pairs that are asked about, with the scores that they get."""
    schedule = Schedule(
        ((pair, combine_priorities(priorities[pair].values(), saving.mode)) for pair in rows),
        saving.budget,
        questions_per_pair=max(len(row.scores) for row in rows.values()),
        above=saving.above,
    )
    asked: dict[Pair, SegmentRow] = {}
    while pairs := schedule.next_round():
        for pair in pairs:
            row = clear_row(rows[pair], saving.clear)
            asked[pair] = row
            values = [score for score in row.scores.values() if not math.isnan(score)]
            schedule.record(pair, math.fsum(values) / len(values) if values else math.nan, row.n_questions)
    return asked


def _unasked(row: SegmentRow) -> SegmentRow:
    return replace(row, scores=dict.fromkeys(row.scores, math.nan), unasked=frozenset(row.scores), value=math.nan)
