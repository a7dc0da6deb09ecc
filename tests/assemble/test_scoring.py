"""Which scoring `auto` stands for, as a run uses it and says it in its results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import anyanomaly
from anyanomaly.testing.videos import EVENT_TEXT, synthetic_video

PLUGIN = """
from anyanomaly import BackendSpec, EncoderSpec, hookimpl
from anyanomaly.kit import ThinkingOptions
from anyanomaly.testing.fakes import FakeBackend


class Red(FakeBackend):
    def __init__(self, options):
        super().__init__(batch_size=4)
        self.options = options


class Thinker(ThinkingOptions):
    pass


class ServerWithoutLogprobs(Red):
    def gives_logprobs(self):
        return False


@hookimpl
def anyanomaly_register_backends():
    thinking = f"{__name__}:Thinker"
    return [
        BackendSpec(name="with-logprobs", summary="s", target=f"{__name__}:Red", logprobs=True),
        BackendSpec(name="words-only", summary="s", target=f"{__name__}:Red"),
        BackendSpec(name="thinker", summary="s", target=f"{__name__}:Red", options=thinking, logprobs=True),
        BackendSpec(name="server", summary="s", target=f"{__name__}:ServerWithoutLogprobs", logprobs=True),
    ]


@hookimpl
def anyanomaly_register_encoders():
    return [EncoderSpec(name="colour", summary="s", target="anyanomaly.testing.fakes:FakeEncoder")]
"""


def run_clip(folder: Path, backend: Any, **tables: Any) -> list[dict[str, Any]]:
    """Return the records of a run over a clip with a red event."""
    plugin, clip, results = folder / "scoring_plugin.py", folder / "clip.mp4", folder / "results.jsonl"
    plugin.write_text(PLUGIN)
    synthetic_video(clip)
    settings = {"encoder": "colour", "contexts": ["key"], "sink": [{"path": str(results), "evidence": False}], **tables}
    settings["run"] = {"store": False, "segment_frames": 8, "smooth_seconds": 0.1, **tables.get("run", {})}
    for _ in anyanomaly.run(clip, EVENT_TEXT, plugins=[str(plugin)], backend=backend, **settings):
        pass
    return [json.loads(line) for line in results.read_text().splitlines()]


@pytest.mark.parametrize(
    ("backend", "tables", "scoring"),
    [
        ("with-logprobs", {}, "expected"),
        ("words-only", {}, "words"),
        ({"name": "thinker", "thinking": "on"}, {}, "words"),
        ("thinker", {}, "expected"),
        ("server", {}, "words"),
        ("with-logprobs", {"prompt": {"name": "reason"}}, "words"),
        ("with-logprobs", {"run": {"scoring": "words"}}, "words"),
        ("with-logprobs", {"preset": "paper"}, "published"),
    ],
)
def test_results_hold_the_scoring_that_was_used(
    tmp_path: Path, backend: Any, tables: dict[str, Any], scoring: str
) -> None:
    head, *records, end = run_clip(tmp_path, backend, **tables)
    assert head["config"]["run"]["scoring"] == scoring
    scores = [record["scores"]["key"] for record in records if record["type"] == "segment"]
    assert all(("mass" in score) == (scoring == "expected") for score in scores)
    assert ("mean_mass" in end) == (scoring == "expected")


def test_a_reason_is_asked_for_where_the_score_reaches_the_threshold(tmp_path: Path) -> None:
    head, *records, end = run_clip(tmp_path, "with-logprobs", run={"threshold": 0.6})
    assert head["config"]["run"]["reason_above"] == 0.6
    segments = [record for record in records if record["type"] == "segment"]
    assert {bool(record["scores"]["key"]["answer"]) for record in segments if record["value"] >= 0.6} == {True}
    assert {bool(record["scores"]["key"]["answer"]) for record in segments if record["value"] < 0.6} == {False}
    (event,) = [record for record in records if record["type"] == "event"]
    assert event["rationale"] == "It is that red."
    masses = [record["scores"]["key"]["mass"] for record in segments]
    assert end["mean_mass"] == pytest.approx(sum(masses) / len(masses), abs=1e-6)


def test_the_scoring_that_a_user_names_asks_for_no_reason(tmp_path: Path) -> None:
    head, *records, _ = run_clip(tmp_path, "with-logprobs", run={"scoring": "expected"})
    assert head["config"]["run"]["reason_above"] is None
    assert not any(record["scores"]["key"]["answer"] for record in records if record["type"] == "segment")
