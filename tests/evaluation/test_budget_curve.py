"""``anyanomaly eval --budget-curve`` tells from one full run what a run with a gate and a budget would have found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anyanomaly.evaluation.scores import read_scores
from tests.cli.conftest import Cli, Result

PLUGIN = str(Path(__file__).with_name("streets_plugin.py"))
RUN = ["--backend", "seeing", "--encoder", "colour", "--selector", "middle", "--segment-frames", "8"]
RUN += ["--context", "key", "--context", "temporal", "--scoring", "words", "--smooth-seconds", "0.5"]

Evaluate = Callable[..., Result]


@pytest.fixture
def evaluate(cli: Cli, folder: Path) -> Evaluate:
    """Return a function that runs ``anyanomaly eval streets``."""

    def run(*arguments: str) -> Result:
        result = cli("-q", "-p", PLUGIN, "eval", "streets", "--root", str(folder), *arguments, plugin=False)
        assert result.code == 0, result.err
        return result

    return run


@pytest.fixture
def full(evaluate: Evaluate) -> str:
    """Return the name of the results of a run in which everything was asked."""
    evaluate(*RUN, "--protocol", "fixed", "-o", "full.jsonl")
    return "full.jsonl"


def draw(evaluate: Evaluate, scores: str, *flags: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(evaluate("--scores", scores, "--budget-curve", "--json", *flags).out)
    return content


def point_at(curve: dict[str, Any], name: str, budget: float) -> dict[str, Any]:
    (points,) = [entry["points"] for entry in curve["curves"] if entry["name"] == name]
    (point,) = [point for point in points if point["budget"] == budget]
    return dict(point)


SAVINGS = {
    "one gate": ("hint", ["--gate", "hint"]),
    "a gate that never asks some": ("dice", ["--gate", "dice"]),
    "either of two": ("hint or dice", ["--gate", "hint", "--gate", "dice"]),
    "both of two": ("dice and hint", ["--gate", "dice", "--gate", "hint", "--gate-rule", "and"]),
    "the higher of two": ("hint max dice", ["--gate", "hint", "--gate", "dice", "--gate-rule", "max"]),
    "clear scores": ("hint", ["--gate", "hint", "--clear-below", "0.15", "--clear-above", "0.75"]),
    "high priorities": ("hint", ["--gate", "hint", "--gate-above", "0.3"]),
}


@pytest.mark.parametrize("saving", SAVINGS)
@pytest.mark.parametrize("percent", [5, 20, 50])
def test_a_point_of_the_curve_has_the_figures_of_a_run_with_that_gate_and_budget(
    evaluate: Evaluate, full: str, saving: str, percent: int
) -> None:
    name, flags = SAVINGS[saving]
    point = point_at(draw(evaluate, full, *flags), name, percent / 100)
    evaluate(*RUN, *flags, "--budget", f"{percent}%", "--protocol", "fixed", "-o", "real.jsonl", "-o", "real.json")
    real = json.loads(Path("real.json").read_text())
    fixed = real["protocols"]["fixed"]
    assert point["class_auc"] == {name: entry["auc"] for name, entry in fixed["classes"].items()}
    assert point["auc"]["value"] == pytest.approx(fixed["mean"]["auc"], abs=1e-12)
    events = [entry["events"] for entry in fixed["classes"].values()]
    n_labelled = sum(entry["labelled"] for entry in events)
    assert point["event_recall"]["value"] == sum(entry["found"] for entry in events) / n_labelled
    table = read_scores(["real.jsonl"]).table
    rows = [row for pair in table.pairs() for row in table.rows(*pair)]
    assert point["questions_asked"] == sum(row.n_questions for row in rows)
    assert point["asked"] == sum(row.asked for row in rows) / len(rows)
    assert 0 < point["asked"] <= percent / 100
