"""Result files for tests, written by the sinks of the package."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from anyanomaly.api import RunEnd, Sink, SinkOptions
from anyanomaly.builtin.json_lines import JsonLinesSink, ParquetSink
from anyanomaly.builtin.sink_options import JsonLinesOptions
from anyanomaly.builtin.sinks import CsvSink, EventsSink
from anyanomaly.evidence import Evidence, Exchange, Picture, Truth
from anyanomaly.types import Event, Notice, QueryId, Score, SegmentScore, Timeline, Video

SUFFIXES = (".jsonl", ".json", ".csv")
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
GATED_HEADER = {**HEADER, "config": {**HEADER["config"], "gates": ["motion", "similarity"]}}
COMPLETE = RunEnd("complete", 2, 1, 1)
JPEG = b"\xff\xd8\xff\xe0 a picture"


def new_sink(path: Path) -> Sink[SinkOptions]:
    """Return the sink of a suffix."""
    if ".jsonl" in path.suffixes:
        return JsonLinesSink(JsonLinesOptions(path=str(path)))
    return {".json": EventsSink, ".csv": CsvSink, ".parquet": ParquetSink}[path.suffix](SinkOptions(path=str(path)))


def segment(
    text: str, number: int = 0, value: float = 0.5, mass: float | None = None, video: str = "cam", times_s=None,
    priorities: Mapping[str, float] = MappingProxyType({}), asked: bool = True,
) -> SegmentScore:  # fmt: skip
    """Return a segment of two frames. ``value``: with ``asked=False`` the one that its gates give it."""
    start = 2 * number
    own_value, answer = (value, f"0.5. {text}") if asked else (math.nan, "")
    score = Score(QueryId(video, number, text, "key"), own_value, answer, mass, asked)
    times_s = np.arange(start, start + 2) / 10 if times_s is None else np.array(times_s)
    sequence = (start, start + 1)
    return SegmentScore(
        new_video(video), number, start, start + 2, times_s, text, {"key": score}, value, start, sequence, priorities
    )


def timeline(text: str, value: float = 0.5, video: str = "cam", context: str = "key") -> Timeline:
    series = np.array([value, 0.25], np.float32)
    times_s = np.array([0.0, 0.1])
    return Timeline(new_video(video), text, 0, times_s, series, series.copy(), {context: series.copy()})


def evidence(text: str, value: float = 0.5, video: str = "cam") -> Evidence:
    picture = Picture(JPEG, 4, 4, 1, 0.1)
    exchange = Exchange(
        context="key",
        index=0,
        pictures=(Picture(JPEG, 8, 8),),
        system="Be brief.",
        question=f"Is there {text}?",
        answer=f"0.5. {text}",
        score=value,
        mass=0.9,
        logprobs={"yes": -0.5, "no": -math.inf},
        reason=text,
        views={"attention": np.array([[0.25, math.nan]]), "window": np.array([0, 1, 2])},
    )
    return Evidence(video, text, 0, 0, 2, 0.0, 0.2, value, {"key": 1.0}, picture, (picture, picture), (exchange,))


def write_results(
    path: Path, text: str = "a car", value: float = 0.5, mass: float | None = None, video: str = "cam",
    end: RunEnd | None = COMPLETE, times_s=None,
) -> Path:  # fmt: skip
    """Write a run of two segments; ``end=None``: as a killed run leaves it. ``times_s``: of the frames of the first."""
    sink = new_sink(path)
    sink.load()
    sink.begin(HEADER)
    sink.write_video(new_video(video))
    for number in range(2):
        sink.write_segment(segment(text, number, value, mass, video, times_s if number == 0 else None))
    sink.write_timeline(timeline(text, value, video))
    sink.write_evidence(evidence(text, value, video))
    sink.write_event(Event(video, text, 0.0, 0.2, 0.5, 0.1, f"because {text}"))
    sink.write_truth(Truth(video, text, ((0.0, 0.1),)))
    sink.write_notice(Notice(video, f"{text} is odd."))
    if end:
        sink.end(end)
    sink.close()
    return path if end and end.is_whole else path.with_name(f"{path.name}.partial")


def new_video(name: str) -> Video:
    return Video(name, f"{name}.mp4", 10.0, 4, 4, 4)


def write_gated_results(path: Path, text: str = "a car") -> Path:
    """Write a run with two gates, whose first segment was asked about, and whose second one was not."""
    sink = new_sink(path)
    sink.load()
    sink.begin(GATED_HEADER)
    sink.write_video(new_video("cam"))
    sink.write_segment(segment(text, 0, 0.0, 0.9, times_s=[0.0, 0.125], priorities={"motion": 0.75, "similarity": 1.0}))
    sink.write_segment(segment(text, 1, 0.2, 0.9, priorities={"motion": 0.25, "similarity": 0.0}, asked=False))
    raw = np.array([0.0, 0.2], np.float32)
    missing = np.array([0.0, math.nan], np.float32)
    asked = np.array([True, False])
    sink.write_timeline(
        Timeline(new_video("cam"), text, 0, np.array([0.0, 0.125]), raw, raw.copy(), {"key": missing}, asked)
    )
    exchange = replace(evidence(text).exchanges[0], asked=False, score=math.nan)
    sink.write_evidence(
        replace(evidence(text), exchanges=(*evidence(text).exchanges, exchange), priorities={"motion": 0.75})
    )
    sink.end(RunEnd("complete", 2, 0, 0))
    sink.close()
    return path
