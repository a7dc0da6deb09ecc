"""Gates and budgets on the command line and in `anyanomaly.run`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import anyanomaly
from tests.cli.conftest import PLUGIN, Cli

GATE = str(Path(__file__).with_name("redness_plugin.py"))
DATASET = str(Path(__file__).with_name("fake_dataset.py"))
PLAIN = ["--selector", "middle", "--context", "key", "--backend", "red", "--segment-frames", "8", "--no-cache"]


def run(cli: Cli, *flags: str):
    return cli("-p", GATE, "run", "street.scene", "-t", "red", *PLAIN, "--smooth-seconds", "0", *flags)


def segment_rows(path: Path) -> list[dict]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row for row in rows if row.get("type") == "segment"]


def test_the_summary_says_how_much_was_asked(cli: Cli, folder: Path) -> None:
    result = run(cli, "--gate", "redness", "--budget", "1", "-o", "out.jsonl")
    assert result.code == 0
    assert "asked about 1 of 4 segments (25 %)" in result.err
    assert "1 question asked" in result.err
    assert result.out.startswith("1.00\t2.00\t1.000\tred")
    assert [row.get("asked", True) for row in segment_rows(folder / "out.jsonl")] == [False, True, False, False]


def test_without_gates_the_summary_and_the_results_are_silent_about_it(cli: Cli, folder: Path) -> None:
    result = run(cli, "-o", "out.jsonl")
    assert "asked about" not in result.err
    assert "asked" not in segment_rows(folder / "out.jsonl")[0]


def test_a_gate_that_says_yes_everywhere_changes_no_score(cli: Cli, folder: Path) -> None:
    run(cli, "-o", "plain.jsonl")
    run(cli, "--gate", "redness", "-o", "gate.jsonl")
    plain, gated = segment_rows(folder / "plain.jsonl"), segment_rows(folder / "gate.jsonl")
    assert [row["value"] for row in plain] == [row["value"] for row in gated]
    assert [row["scores"] for row in plain] == [row["scores"] for row in gated]


def test_a_gate_that_fails_is_one_sentence(cli: Cli) -> None:
    result = run(cli, "--gate", "redness", "--gate.redness.fails", "--budget", "2")
    assert result.code == 5
    assert result.error.endswith("The gate has lost its background.")


def test_an_interrupt_keeps_what_was_asked(cli: Cli, folder: Path) -> None:
    result = run(cli, "--gate", "redness", "--budget", "4", "--backend.fail", "interrupt", "-o", "out.jsonl")
    assert result.code == 130
    rows = segment_rows(next(folder.glob("out.jsonl*")))
    assert [row.get("asked", True) for row in rows].count(True) == 2
    assert len(rows) == 4


def test_show_asks_about_a_segment_whatever_its_gate_says(cli: Cli) -> None:
    result = cli("-p", GATE, "show", "street.scene", "-t", "red", *PLAIN, "--gate", "redness", "--at", "0", "-d", "out")
    assert result.code == 0
    assert "It is that red" in Path("out/answers.json").read_text()


@pytest.mark.parametrize(("budget", "n_asked"), [("5", 5), ("50%", 21)])
def test_a_dataset_has_one_budget(cli: Cli, folder: Path, budget: str, n_asked: int) -> None:
    """Two texts for each of 21 segments in 6 videos."""
    command = cli(
        *("-p", GATE, "-p", DATASET, "eval", "scenes", "--root", str(folder), *PLAIN, "--protocol", "fixed"),
        *("--gate", "redness", "--budget", budget, "-o", "e.json"),
    )
    assert command.code == 0
    assert json.loads(Path("e.json").read_text())["answers"]["asked"] == n_asked


def test_a_video_that_fails_leaves_the_budget_to_the_others(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RED_FAILS_AT", "03")
    command = cli(
        *("-p", GATE, "-p", DATASET, "eval", "scenes", "--root", str(folder), *PLAIN, "--protocol", "fixed"),
        *("--gate", "redness", "--budget", "6", "-o", "e.json"),
    )
    result = json.loads(Path("e.json").read_text())
    assert any("Video '03' is skipped" in problem for problem in result["problems"])
    assert command.code == 4
    assert result["protocols"]["fixed"]["classes"]["red"]["frames"] == 168 - 48


def test_a_run_in_python_has_the_same_scores(folder: Path) -> None:
    outcomes = anyanomaly.run(
        "street.scene",
        "red",
        plugins=[PLUGIN, GATE],
        backend="red",
        selector="middle",
        contexts=["key"],
        gates=["redness"],
        run={"segment_frames": 8, "budget": "2"},
    )
    (timeline,) = anyanomaly.join_timelines(outcomes)
    assert timeline.asked.sum() == 16
    assert timeline.asked[8:16].all()
