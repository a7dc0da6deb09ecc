"""The result of an evaluation: equal after a round trip through its file, the same for command line and Python."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import anyanomaly
from anyanomaly.errors import InputError, UsageError
from anyanomaly.evaluation.result import EvaluationResult
from anyanomaly.evaluation.scores import read_scores
from tests.cli.conftest import Cli

CLI_TESTS = Path(__file__).parents[1] / "cli"
PLUGINS = [str(CLI_TESTS / "fake_plugin.py"), str(CLI_TESTS / "fake_dataset.py")]
SETTINGS = {"selector": "middle", "contexts": ["key"], "run": {"segment_frames": 8, "smooth_seconds": 0}}


def evaluate_scenes(folder: Path, **arguments: Any) -> EvaluationResult:
    settings = {"backend": "red", **SETTINGS, **arguments}
    return anyanomaly.evaluate("scenes", root=folder, plugins=PLUGINS, **settings)


def test_a_result_is_equal_after_its_json_file(folder: Path) -> None:
    result = evaluate_scenes(folder)
    content = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert EvaluationResult.from_json(content) == result
    assert EvaluationResult.from_json(content).to_json() == content
    assert set(content["protocols"]["paper"]["classes"]["red"]) - set(
        content["protocols"]["fixed"]["classes"]["red"]
    ) == {"key_alone"}


def test_python_and_the_command_line_measure_the_same(folder: Path, cli: Cli) -> None:
    result = evaluate_scenes(folder, classes="red", protocols=["fixed"])
    words = ["--selector", "middle", "--context", "key", "--segment-frames", "8", "--smooth-seconds", "0"]
    command = cli(
        *("-p", PLUGINS[1], "eval", "scenes", "--root", str(folder), "--backend", "red", *words),
        *("-t", "red", "--protocol", "fixed", "-o", "e.json"),
    )
    assert command.code == 0
    from_file = EvaluationResult.from_json(json.loads(Path("e.json").read_text()))
    same = {"answers": None, "seconds": None}
    assert dataclasses.replace(from_file, **same) == dataclasses.replace(result, **same)
    red = result.protocols["fixed"].classes["red"]
    assert (red.auc, red.n_frames, red.n_positive, red.video_auc["01"]) == (1.0, 168, 24, 1.0)
    assert red.events is not None
    assert (red.events.n_detected, red.events.recall) == (3, 1.0)
    assert result.answers is not None
    assert result.answers.n_asked + result.answers.n_reused == 21
    assert result.problems == ()


def test_problems_of_a_dataset_are_in_the_result(folder: Path) -> None:
    table = {"name": "scenes", "fault": "long", "root": str(folder)}
    result = anyanomaly.evaluate(table, protocols="fixed", plugins=PLUGINS, backend="red", **SETTINGS)
    assert any("Video '01' has 78 labels" in problem for problem in result.problems)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({}, "protocols"),
        ({"protocols": {}}, "dataset"),
        ({"protocols": []}, "items"),
        ({"protocols": {"fixed": {}}}, "classes"),
    ],
)
def test_other_json_is_refused_with_the_place(content: dict[str, Any], place: str) -> None:
    with pytest.raises(InputError, match=place):
        EvaluationResult.from_json(content)


def test_wrong_use_from_python_is_one_sentence(folder: Path) -> None:
    for arguments, message in (
        ({"protocols": "best"}, "no protocol 'best'"),
        ({"classes": ["green"]}, "no class 'green'"),
        ({"texts": ["red"]}, "takes no 'texts'"),
    ):
        with pytest.raises(UsageError, match=message):
            evaluate_scenes(folder, **arguments)


def test_scores_are_read_with_the_description_of_their_run(folder: Path) -> None:
    evaluate_scenes(folder, sink=[{"path": "scores.jsonl"}])
    run = read_scores(["scores.jsonl"])
    assert run.header["backend"] == "red "
    assert run.table.videos == {"00", "01", "02", "03", "04", "05"}
    assert [(row.start, row.stop, row.scores["key"]) for row in run.table.rows("01", "red")][:3] == [
        (0, 8, 0.0),
        (8, 16, 1.0),
        (16, 24, 0.0),
    ]
