"""The scores of what the backend was not asked about, so that protocols can measure them like all others."""

from __future__ import annotations

import math
from dataclasses import replace

from anyanomaly.config.model import RunOptions
from anyanomaly.core.asked_text import count_asked
from anyanomaly.core.gate import combine_priorities, unasked_value
from anyanomaly.evaluation.scores import ScoreTable, SegmentRow


def fill_unasked(table: ScoreTable, run: RunOptions) -> ScoreTable:
    """Return the table with a score for each context that was not asked.

    A segment that was not asked at all has the value of its gates in every context: the same fused score under all
    weights. Where only the first context was asked, because its score was clear, the others have that score.

    :param run: settings whose threshold and rule of gates apply.
    """
    filled = ScoreTable()
    for video, text in table.pairs():
        for row in table.rows(video, text):
            filled.add(video, text, _fill_row(row, run) if row.unasked else row)
    return filled


def note_unasked(table: ScoreTable) -> list[str]:
    """Return a note on how much was asked; empty: everything."""
    rows = [row for video, text in table.pairs() for row in table.rows(video, text)]
    n_asked = sum(row.asked for row in rows)
    if n_asked == len(rows):
        return []
    counts = count_asked(n_asked, len(rows))
    return [f"The run {counts} (counted for each event text); the others are measured with the scores of their gates."]


def _fill_row(row: SegmentRow, run: RunOptions) -> SegmentRow:
    value = _gate_value(row, run)
    if row.asked:
        value = next(score for name, score in row.scores.items() if name not in row.unasked)
    scores = {name: value if name in row.unasked else score for name, score in row.scores.items()}
    return replace(row, scores=scores, unasked=frozenset())


def _gate_value(row: SegmentRow, run: RunOptions) -> float:
    """Return the value of a segment that was not asked; NaN: with a threshold of 0 nothing is below it."""
    if row.priorities:
        return unasked_value(combine_priorities(row.priorities.values(), run.gate_rule), run.threshold)
    return row.value if row.value < run.threshold else math.nan  # of a file without the priorities
