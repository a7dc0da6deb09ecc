"""``anyanomaly eval --budget-curve`` tells from one full run what a run with a gate and a budget would have found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anyanomaly.config.model import RunOptions
from anyanomaly.core.budget import Budget
from anyanomaly.engine.settings import ClearRule
from anyanomaly.evaluation.replay_budget import Saving, pairs_of, replay
from anyanomaly.evaluation.scores import read_scores
from anyanomaly.evaluation.unasked import fill_unasked
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


_full: list[bytes] = []  # results of a run in which everything was asked, made once


@pytest.fixture
def full(evaluate: Evaluate, folder: Path) -> str:
    """Return the name of the results of a run in which everything was asked."""
    path = folder / "full.jsonl"
    if not _full:
        evaluate(*RUN, "--protocol", "fixed", "-o", str(path))
        _full.append(path.read_bytes())
    path.write_bytes(_full[0])
    return str(path)


def draw(evaluate: Evaluate, scores: str, *flags: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(evaluate("--scores", scores, "--budget-curve", "--json", *flags).out)
    return content


def point_at(curve: dict[str, Any], name: str, budget: float) -> dict[str, Any]:
    (points,) = [entry["points"] for entry in curve["curves"] if entry["name"] == name]
    (point,) = [point for point in points if point["budget"] == budget]
    return dict(point)


SAVINGS = {
    "one gate": ("hint", 20, ["--gate", "hint"]),
    "a gate that never asks some": ("dice", 50, ["--gate", "dice"]),
    "either of two": ("hint or dice", 5, ["--gate", "hint", "--gate", "dice"]),
    "both of two": ("dice and hint", 30, ["--gate", "dice", "--gate", "hint", "--gate-rule", "and"]),
    "the higher of two": ("hint max dice", 15, ["--gate", "hint", "--gate", "dice", "--gate-rule", "max"]),
    "clear scores": ("hint", 20, ["--gate", "hint", "--clear-below", "0.15", "--clear-above", "0.75"]),
    "high priorities": ("hint", 100, ["--gate", "hint", "--gate-above", "0.3"]),
}


@pytest.mark.parametrize("saving", SAVINGS)
def test_a_point_of_the_curve_has_the_figures_of_a_run_with_that_gate_and_budget(
    evaluate: Evaluate, full: str, saving: str
) -> None:
    name, percent, flags = SAVINGS[saving]
    point = point_at(draw(evaluate, full, *flags), name, percent / 100)
    evaluate(*RUN, *flags, "--budget", f"{percent}%", "--protocol", "fixed", "-o", "real.jsonl", "-o", "real.json")
    real = json.loads(Path("real.json").read_text())
    fixed = real["protocols"]["fixed"]
    assert point["class_auc"] == {name: entry["auc"] for name, entry in fixed["classes"].items()}
    assert point["auc"]["value"] == pytest.approx(fixed["mean"]["auc"], abs=1e-12)
    assert point["auc"]["interval"] == pytest.approx(fixed["mean"]["interval"], abs=1e-12)
    events = [entry["events"] for entry in fixed["classes"].values()]
    n_labelled = sum(entry["labelled"] for entry in events)
    assert point["event_recall"]["value"] == sum(entry["found"] for entry in events) / n_labelled
    table = read_scores(["real.jsonl"]).table
    rows = [row for pair in table.pairs() for row in table.rows(*pair)]
    assert point["questions_asked"] == sum(row.n_questions for row in rows)
    assert point["asked"] == sum(row.asked for row in rows) / len(rows)
    assert 0 < point["asked"] <= percent / 100


def test_scores_are_replayed_one_by_one_as_a_run_asks(evaluate: Evaluate, full: str) -> None:
    evaluate(*RUN, "--gate", "hint", "--budget", "20%", "--clear-above", "0.75", "-o", "real.jsonl")
    real = pairs_of(read_scores(["real.jsonl"]).table)
    stored = read_scores([full]).table
    priorities = {pair: row.priorities for pair, row in real.items()}
    saving = Saving(Budget("share", 0.2), clear=ClearRule(-1.0, 0.75))
    replayed = pairs_of(replay(stored, priorities, saving).table)
    assert list(replayed) == list(real)
    for pair, row in real.items():
        assert replayed[pair].unasked == row.unasked
        assert dict(replayed[pair].scores) == pytest.approx(dict(row.scores), nan_ok=True)
    assert {len(row.unasked) for row in real.values()} == {0, 1, 2}


def test_priorities_of_a_run_with_gates_need_no_video_and_no_model(
    evaluate: Evaluate, folder: Path, full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rated = draw(evaluate, full, "--gate", "hint")
    evaluate(*RUN, "--gate", "hint", "--budget", "100%", "-o", "gated.jsonl")
    monkeypatch.setattr("anyanomaly.evaluation.gate_priorities.GatePass", None)
    stored = draw(evaluate, "gated.jsonl")
    assert stored["curves"] == rated["curves"]


def test_gates_are_rated_without_the_backend(evaluate: Evaluate, full: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_BACKEND", "1")
    assert [curve["name"] for curve in draw(evaluate, full, "--gate", "dice")["curves"]] == [
        "dice",
        "random",
        "perfect",
    ]


def test_yardsticks_enclose_and_everything_asked_loses_nothing(evaluate: Evaluate, full: str) -> None:
    curve = draw(evaluate, full, "--gate", "hint")
    assert curve["full"]["event_recall"]["value"] > 0.5
    for name in ("hint", "random", "perfect"):
        whole = point_at(curve, name, 1.0)
        assert whole["questions"] == 1
        assert whole["auc"]["value"] == pytest.approx(curve["full"]["auc"]["value"])
        assert whole["lost_count"] == 0
    a_tenth = {name: point_at(curve, name, 0.1)["event_recall"]["value"] for name in ("random", "hint", "perfect")}
    assert a_tenth["random"] < a_tenth["hint"] <= a_tenth["perfect"]
    assert draw(evaluate, full, "--gate", "hint") == curve  # random draws are the same ones each time


def test_lost_events_are_named(evaluate: Evaluate, full: str) -> None:
    curve = draw(evaluate, full, "--gate", "dice")
    lost = point_at(curve, "dice", 0.02)["lost"]
    assert lost
    assert all(event in curve["events"] for event in lost)
    assert point_at(curve, "dice", 0.02)["lost_count"] == len(lost)
    lines = evaluate("--scores", full, "--budget-curve", "--gate", "dice").out.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("video "))
    assert {line.split()[0] for line in lines[head + 1 :]} == {
        event["video"] for event in curve["events"] if any(event in p["lost"] for p in curve["curves"][0]["points"])
    }


def test_one_class_and_fewer_videos_are_replayed_alone(evaluate: Evaluate, full: str) -> None:
    curve = draw(evaluate, full, "--gate", "hint", "-t", "red", "--dataset.n", "3")
    n_segments = curve["pairs"]
    evaluate(*RUN, "-t", "red", "--dataset.n", "3", "--protocol", "fixed", "-o", "red.jsonl")
    assert n_segments == len(pairs_of(read_scores(["red.jsonl"]).table))
    assert {event["text"] for event in curve["events"]} == {"red"}


def test_pictures_and_pages(evaluate: Evaluate, full: str) -> None:
    names = ["c.svg", "c.png", "c.html", "c.json"]
    flags = [word for name in names for word in ("-o", name)]
    out = evaluate("--scores", full, "--budget-curve", "--gate", "hint", *flags).out
    assert Path("c.png").read_bytes().startswith(b"\x89PNG")
    svg, page = Path("c.svg").read_text(), Path("c.html").read_text()
    for word in ("event recall", "random priorities", "perfect gate (labels)", "hint"):
        assert word in svg
        assert word in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    content = json.loads(Path("c.json").read_text())
    assert content["questions"] == 2 * content["pairs"]
    assert "full run" in out
    evaluate("--scores", full, "--budget-curve", "--gate", "hint", "-o", "again.svg")
    assert Path("again.svg").read_bytes() == Path("c.svg").read_bytes()


WRONG = {
    "no scores": (["--budget-curve"], "name them with --scores FILE.jsonl"),
    "no gate": (["--budget-curve", "--scores", "full.jsonl"], "Add one: --gate motion"),
    "protocol": (["--budget-curve", "--scores", "full.jsonl", "--protocol", "paper"], "omit --against and --protocol"),
    "format": (["--budget-curve", "--scores", "full.jsonl", "--gate", "hint", "-o", "c.csv"], "-o c.csv"),
    "flag": (
        ["--budget-curve", "--scores", "full.jsonl", "--gate", "hint", "--budget", "5%"],
        "--budget does not apply",
    ),
    "partial run": (["--budget-curve", "--scores", "part.jsonl", "--gate", "hint"], "did not ask about"),
    "clear run": (
        ["--budget-curve", "--scores", "clear.jsonl", "--gate", "hint", "--clear-below", "0.05"],
        "--clear-below at least 0.15",
    ),
    "check": (["--check", "--budget-curve"], "--check covers the whole dataset"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_mistakes_are_one_sentence(evaluate: Evaluate, cli: Cli, folder: Path, full: str, mistake: str) -> None:
    if mistake == "partial run":
        evaluate(*RUN, "--gate", "dice", "--budget", "20%", "-o", "part.jsonl")
    if mistake == "clear run":
        evaluate(*RUN, "--clear-below", "0.15", "-o", "clear.jsonl")
    flags, sentence = WRONG[mistake]
    result = cli("-q", "-p", PLUGIN, "eval", "streets", "--root", str(folder), *flags, plugin=False)
    assert result.code == 2
    assert sentence in result.error


def test_a_clear_run_counts_what_it_asked(evaluate: Evaluate, full: str) -> None:
    evaluate(*RUN, "--clear-below", "0.15", "-o", "clear.jsonl")
    own = draw(evaluate, "clear.jsonl", "--gate", "hint")
    assert own["clear_below"] == 0.15
    assert own["questions"] < 2 * own["pairs"]
    assert point_at(own, "hint", 1.0)["questions"] == 1
    replayed = draw(evaluate, full, "--gate", "hint", "--clear-below", "0.15")
    assert point_at(replayed, "hint", 0.3)["questions_asked"] == point_at(own, "hint", 0.3)["questions_asked"]
    assert point_at(replayed, "hint", 0.3)["class_auc"] == point_at(own, "hint", 0.3)["class_auc"]


def test_a_gated_run_is_measured_with_the_scores_of_its_gates(evaluate: Evaluate, full: str) -> None:
    flags = [*RUN, "--gate", "hint", "--budget", "20%"]
    evaluate(*flags, "-o", "real.jsonl", "-o", "real.json")
    content = json.loads(Path("real.json").read_text())
    assert not any("readable score" in note for note in content["notes"])
    assert all(entry["without_score"] == 0 for entry in content["protocols"]["fixed"]["classes"].values())
    table = fill_unasked(read_scores(["real.jsonl"]).table, RunOptions(threshold=0.05))
    unasked = {pair for pair, row in pairs_of(read_scores(["real.jsonl"]).table).items() if not row.asked}
    assert unasked
    for pair, row in pairs_of(table).items():  # what was not asked stays below any threshold
        if pair in unasked:
            assert 0 <= max(row.scores.values()) < 0.05
