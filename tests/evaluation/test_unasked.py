"""Scores of what was not asked: measured like all others, and counted."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from anyanomaly.config.model import RunOptions
from anyanomaly.evaluation.scores import read_scores
from anyanomaly.evaluation.unasked import fill_unasked, note_unasked
from tests.results.files import write_gated_results, write_results


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_stored_scores_say_how_much_was_asked_and_the_rest_has_the_value_of_its_gates(
    tmp_path: Path, suffix: str
) -> None:
    run = read_scores([str(write_gated_results(tmp_path / f"r{suffix}"))])
    (note,) = note_unasked(run.table)
    assert note.startswith("The run asked about 1 of 2 segments (counted for each event text)")
    asked, unasked = run.table.rows("cam", "a car")
    assert (asked.scores["key"], math.isnan(unasked.scores["key"])) == (0.0, True)
    for threshold in (0.5, 0.1):
        settings = RunOptions(threshold=threshold, gate_rule="max")
        asked, unasked = fill_unasked(run.table, settings).rows("cam", "a car")
        assert asked.scores["key"] == 0.0
        assert unasked.scores["key"] == pytest.approx(0.25 * threshold / 2)


def test_a_run_that_asked_about_everything_has_no_note(tmp_path: Path) -> None:
    assert note_unasked(read_scores([str(write_results(tmp_path / "r.jsonl"))]).table) == []
