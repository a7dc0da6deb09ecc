"""A run that is repeated with another threshold, smoothing or weights asks, decodes and encodes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import anyanomaly
from anyanomaly.testing.videos import EVENT_TEXT, synthetic_video

PLUGIN = """
from pathlib import Path

from anyanomaly import BackendSpec, EncoderSpec, ReaderSpec, hookimpl
from anyanomaly.builtin.read_video import VideoReader
from anyanomaly.testing.fakes import FakeBackend, FakeEncoder

LOG = Path(__file__).with_name("calls.txt")


def record(call):
    with LOG.open("a") as file:
        file.write(f"{call}\\n")


class Reader(VideoReader):
    def frames(self, video, *, start=0, every=1):
        for frame in super().frames(video, start=start, every=every):
            record("decode")
            yield frame


class Encoder(FakeEncoder):
    def encode_crops(self, crops):
        record("encode")
        return super().encode_crops(crops)


class Red(FakeBackend):
    def __init__(self, options):
        super().__init__(batch_size=4)

    def answer_batch(self, queries):
        for query in queries:
            record("ask" if query.sampling.choices else "ask for a reason")
        return super().answer_batch(queries)


@hookimpl
def anyanomaly_register_readers():
    options = "anyanomaly.builtin.reader_options:VideoReaderOptions"
    return [ReaderSpec(name="counted", summary="s", target=f"{__name__}:Reader", options=options)]


@hookimpl
def anyanomaly_register_encoders():
    return [EncoderSpec(name="colour", summary="s", target=f"{__name__}:Encoder")]


@hookimpl
def anyanomaly_register_backends():
    return [BackendSpec(name="red", summary="s", target=f"{__name__}:Red", logprobs=True)]
"""

Records = list[dict[str, Any]]
RunClip = Callable[..., tuple[Records, dict[str, int]]]


@pytest.fixture
def run_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunClip:
    """Return a function that runs over a clip, and returns the records and the number of calls of each kind."""
    monkeypatch.setenv("ANYANOMALY_CACHE_DIR", str(tmp_path / "cache"))
    plugin = tmp_path / "counted_calls_plugin.py"
    plugin.write_text(PLUGIN)
    synthetic_video(tmp_path / "clip.mp4")

    def run(*, run: dict[str, Any] | None = None, **tables: Any) -> tuple[Records, dict[str, int]]:
        log, results = tmp_path / "calls.txt", tmp_path / "results.jsonl"
        log.write_text("")
        settings = {
            "reader": "counted",
            "encoder": "colour",
            "backend": "red",
            "contexts": ["key", "position"],
            "sink": [{"path": str(results)}],
            **tables,
        }
        settings["run"] = {"segment_frames": 8, "smooth_seconds": 0.1, **(run or {})}
        for _ in anyanomaly.run(tmp_path / "clip.mp4", [EVENT_TEXT, "a dog"], plugins=[str(plugin)], **settings):
            pass
        calls = log.read_text().splitlines()
        records = [json.loads(line) for line in results.read_text().splitlines()]
        return records, {call: calls.count(call) for call in sorted(set(calls))}

    return run


CHANGES = [
    {"run": {"threshold": 0.7}},
    {"run": {"smooth_seconds": 0.4}},
    {"run": {"smooth_frames": 3.0}},
    {"run": {"merge_seconds": 0.0, "min_event_seconds": 0.0}},
    {"context": {"key": {"weight": 0.3}}, "run": {"threshold": 0.7}},
    {},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_an_equal_run_does_nothing_again(run_clip: RunClip, changes: dict[str, Any]) -> None:
    _, calls = run_clip()
    assert calls["decode"] == 96
    assert {"ask", "encode"} < set(calls)
    again, calls = run_clip(**changes)
    assert calls == {}
    store = {**changes.get("run", {}), "store": False}
    anew, _ = run_clip(**{**changes, "run": store})
    assert without_settings(again) == without_settings(anew)
    assert any(record["type"] == "evidence" for record in again)


def test_a_lower_threshold_asks_for_the_new_reasons_alone(run_clip: RunClip) -> None:
    run_clip(run={"threshold": 0.9})
    again, calls = run_clip(run={"threshold": 0.3})
    assert set(calls) <= {"ask for a reason", "decode", "encode"}
    assert calls["ask for a reason"] > 0
    assert calls["decode"] < 96
    anew, _ = run_clip(run={"threshold": 0.3, "store": False})
    assert without_settings(again) == without_settings(anew)


@pytest.mark.parametrize(
    "changes",
    [
        {"run": {"segment_frames": 12}},
        {"run": {"every": 2}},
        {"run": {"scoring": "words"}},
        {"contexts": ["key"]},
        {"selector": "middle"},
        {"prompt": {"name": "simple"}},
    ],
)
def test_what_decides_the_scores_is_computed_anew(run_clip: RunClip, changes: dict[str, Any]) -> None:
    run_clip()
    _, calls = run_clip(**changes)
    assert calls["decode"] > 0


def test_another_video_under_the_same_name_is_read(run_clip: RunClip, tmp_path: Path) -> None:
    run_clip()
    synthetic_video(tmp_path / "clip.mp4", n_frames=48)
    records, calls = run_clip()
    assert calls["decode"] == 48
    assert max(record["stop"] for record in records if record["type"] == "segment") == 48


@pytest.mark.parametrize("damage", [b"", b"no gzip", b"\x1f\x8b\x08"])
def test_a_damaged_file_of_the_store_costs_a_run(run_clip: RunClip, tmp_path: Path, damage: bytes) -> None:
    before, _ = run_clip()
    (file,) = (tmp_path / "cache" / "runs").iterdir()
    file.write_bytes(damage)
    after, calls = run_clip()
    assert calls["decode"] == 96
    assert "ask" not in calls  # answers have a store of their own
    assert after == before
    assert run_clip()[1] == {}


def test_a_run_that_needs_evidence_does_not_use_scores_without(run_clip: RunClip, tmp_path: Path) -> None:
    run_clip(sink=[{"path": str(tmp_path / "results.jsonl"), "evidence": False}])
    assert run_clip()[1]["decode"] == 96
    assert run_clip(sink=[{"path": str(tmp_path / "results.jsonl"), "evidence": False}])[1] == {}


def without_settings(records: Records) -> Records:
    """Return the records without the first, which holds the settings."""
    return records[1:]
