"""A gate that asks a small backend first: how it is chosen, checked, described and asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import anyanomaly
from anyanomaly.errors import AnyAnomalyError, CapabilityError, UsageError

PLUGIN = str(Path(__file__).parents[1] / "cli" / "fake_plugin.py")


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "a.scene").write_text("40")
    return {
        "videos": str(tmp_path / "a.scene"),
        "texts": ["red"],
        "plugins": [PLUGIN],
        "encoder": "colour",
        "backend": "red",
        "selector": "middle",
        "contexts": ["key"],
        "gates": ["backend"],
        "run": {"segment_frames": 8, "store": False},
    }


def run(settings: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    """Run with options of the gate, and return the lines of the segments."""
    path = Path(settings["videos"]).with_name("results.jsonl")
    list(anyanomaly.run(**settings, sink=[{"path": str(path)}], gate={"backend": options}))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line["type"] == "segment"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, UsageError, "needs the name of a small backend.*--gate.backend.name"),
        ({"name": "cloud"}, CapabilityError, "sends images off this machine.*--allow-network"),
        ({"name": "rd"}, UsageError, "Did you mean 'red'"),
        ({"name": "lacking"}, AnyAnomalyError, "no-such-thing"),
        ({"name": "red", "options": {"levle": 1}}, UsageError, "no option 'levle'. Did you mean 'level'"),
        ({"name": "red", "scoring": "expected"}, CapabilityError, "no log-probabilities"),
    ],
)
def test_a_backend_that_cannot_be_asked_is_refused(
    settings: dict[str, Any], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(settings, **options)


def test_its_score_is_the_priority(settings: dict[str, Any]) -> None:
    scores = run(settings, name="red")
    assert [score["priorities"]["backend"] for score in scores] == [0, 1, 0, 0, 0]
    assert [score.get("asked", True) for score in scores] == [False, True, False, False, False]


def test_an_answer_that_cannot_be_read_asks_the_backend_of_the_run(settings: dict[str, Any]) -> None:
    scores = run(settings, name="red", options={"words": "I would rather not say."})
    assert len(scores) == 5
    assert all(score.get("asked", True) and score["priorities"]["backend"] == 1 for score in scores)


def test_a_backend_that_needs_the_encoder_gets_it(settings: dict[str, Any]) -> None:
    scores = run(settings, name="similarity")
    priorities = [score["priorities"]["backend"] for score in scores]
    assert priorities[1] > max(priorities[:1] + priorities[2:])


def test_results_hold_the_backend_and_no_secret(settings: dict[str, Any], tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    run(settings, name="red", options={"token": "hunter2", "level": 0.5})
    header = json.loads(results.read_text().splitlines()[0])
    assert header["gate_backends"]["backend"] == {"name": "red", "fingerprint": "red ", "revision": None}
    assert header["config"]["gate"]["backend"]["options"]["level"] == 0.5
    assert "hunter2" not in results.read_text()
