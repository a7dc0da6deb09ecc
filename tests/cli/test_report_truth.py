"""Ground truth in the outputs of ``eval`` and of ``report --truth``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import anyanomaly
from tests.cli.conftest import Cli
from tests.cli.test_eval import PLUGIN

SETTINGS = ["--backend", "red", "--selector", "middle", "--context", "key", "--segment-frames", "8"]


@pytest.fixture
def results(cli: Cli, folder: Path) -> str:
    """Return the results of an evaluation of six scenes, and write its report."""
    (folder / "data").mkdir()
    outputs = ["-o", "r.jsonl", "-o", "r.html"]
    done = cli("-p", PLUGIN, "eval", "scenes", "--root", "data", "-t", "red", *SETTINGS, *outputs)
    assert done.code == 0, done.err
    return "r.jsonl"


def test_eval_writes_the_ground_truth_and_the_worst_mistakes(results: str) -> None:
    truth = {record.video: record.spans for record in anyanomaly.read_results(results).truth}
    assert len(truth) == 6
    assert set(truth.values()) == {(), ((1.0, 2.0),)}
    assert "Worst mistakes" in Path("r.html").read_text(encoding="utf-8")


def test_report_takes_the_ground_truth_of_a_dataset(cli: Cli, results: str) -> None:
    lines = Path(results).read_text(encoding="utf-8").splitlines()
    without = [line for line in lines if json.loads(line)["type"] != "truth"]
    Path("without.jsonl").write_text("\n".join(without) + "\n", encoding="utf-8")
    arguments = ["-p", PLUGIN, "report", "without.jsonl", "--truth", "scenes", "--root", "data"]
    done = cli(*arguments, "-o", "with.html", "-o", "with.jsonl")
    assert done.code == 0, done.err
    assert set(anyanomaly.read_results("with.jsonl").truth) == set(anyanomaly.read_results(results).truth)
    assert "Worst mistakes" in Path("with.html").read_text(encoding="utf-8")


def test_a_dataset_of_other_videos_is_refused(cli: Cli, red: Cli) -> None:
    Path("data").mkdir()
    assert red("-o", "r.jsonl").code == 0
    done = cli("-p", PLUGIN, "report", "r.jsonl", "--truth", "scenes", "--root", "data")
    assert done.code == 2
    assert "The dataset of --truth has no video of the results ('street')" in done.error
