"""Result files for tests, written by the sinks of the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anyanomaly.api import RunEnd, Sink, SinkOptions
from anyanomaly.builtin.sinks import CsvSink, EventsSink, JsonLinesSink
from anyanomaly.types import Event, Notice, QueryId, Score, SegmentScore, Timeline, Video

SINKS: dict[str, type[Sink[SinkOptions]]] = {".jsonl": JsonLinesSink, ".json": EventsSink, ".csv": CsvSink}
HEADER = {
    "config": {"texts": ["a car"], "contexts": ["key"]},
    "readers": [{"name": "scene"}],
    "prompt": {"question": "?"},
    "reason_prompt": None,
    "versions": {"anyanomaly": "0.1.0"},
    "encoder": None,
    "backend": "red",
    "revisions": {"encoder": None, "backend": None},
}
COMPLETE = RunEnd("complete", 2, 1, 1)


def segment(
    text: str, number: int = 0, value: float = 0.5, mass: float | None = None, video: str = "cam"
) -> SegmentScore:
    start = 2 * number
    score = Score(QueryId(video, number, text, "key"), value, f"0.5. {text}", mass)
    times_s = np.arange(start, start + 2) / 10
    return SegmentScore(_video(video), number, start, start + 2, times_s, text, {"key": score}, value)


def timeline(text: str, value: float = 0.5, video: str = "cam", context: str = "key") -> Timeline:
    series = np.array([value, 0.25], np.float32)
    times_s = np.array([0.0, 0.1])
    return Timeline(_video(video), text, 0, times_s, series, series.copy(), {context: series.copy()})


def write_results(
    path: Path, text: str = "a car", value: float = 0.5, mass: float | None = None, video: str = "cam",
    end: RunEnd | None = COMPLETE,
) -> Path:  # fmt: skip
    """Write a run of two segments; ``end=None``: as a killed run leaves it."""
    sink = SINKS[path.suffix](SinkOptions(path=str(path)))
    sink.load()
    sink.begin(HEADER)
    for number in range(2):
        sink.write_segment(segment(text, number, value, mass, video))
    sink.write_timeline(timeline(text, value, video))
    sink.write_event(Event(video, text, 0.0, 0.2, 0.5, 0.1, f"because {text}"))
    sink.write_notice(Notice(video, f"{text} is odd."))
    if end:
        sink.end(end)
    sink.close()
    return path if end and end.status == "complete" else path.with_name(f"{path.name}.partial")


def _video(name: str) -> Video:
    return Video(name, f"{name}.mp4", 10.0, 4, 4, 4)
