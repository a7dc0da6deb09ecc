"""Result files: their content, and that neither old nor new results get lost."""

from __future__ import annotations

import csv
import json
import math
import resource
import signal
from pathlib import Path

import numpy as np
import pytest

from anyanomaly.api import RunEnd, SinkOptions
from anyanomaly.builtin.json_lines import JsonLinesSink
from anyanomaly.builtin.sink_options import JsonLinesOptions
from anyanomaly.builtin.sinks import CsvSink, EventsSink
from anyanomaly.errors import OutputError
from anyanomaly.types import Event, QueryId, Score, SegmentScore, Timeline, Video

VIDEO = Video("a/cam", "a/cam.mp4", 10.0, 3, 4, 4)
COMPLETE = RunEnd("complete", n_segments=1, n_events=1, n_notices=0)
TEXT = '=<b>"größe"</b>,\t{x}'


def segment(value: float = 0.5, mass: float | None = None) -> SegmentScore:
    score = Score(QueryId(VIDEO.id, 0, TEXT, "key"), value, "0.5. A\ncar.", mass)
    return SegmentScore(VIDEO, 0, 0, 3, np.array([0.0, 0.1, 0.2]), TEXT, {"key": score}, value)


def timeline(n_frames: int = 3, start: int = 0) -> Timeline:
    raw = np.array([0.5, math.nan, 0.25] * (n_frames // 3), np.float32)
    times_s = (start + np.arange(n_frames)) / 10
    return Timeline(VIDEO, TEXT, start, times_s, raw, np.full(n_frames, 0.5, np.float32), {"key": raw.copy()})


def test_json_lines_are_strict_and_hold_the_answers(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "r.jsonl"
    with JsonLinesSink(JsonLinesOptions(path=str(path))) as sink:
        sink.begin({"config": {"texts": [TEXT]}})
        sink.write_segment(segment(math.nan, mass=0.25))
        sink.write_event(Event(VIDEO.id, TEXT, 0.0, 0.3, 0.5, 0.1))
        sink.end(COMPLETE)
    run, scored, event, end = (json.loads(line) for line in path.read_text().splitlines())
    assert (run["type"], run["config"]["texts"]) == ("run", [TEXT])
    assert scored["scores"] == {"key": {"value": None, "mass": 0.25, "answer": "0.5. A\ncar."}}
    assert (scored["start_s"], scored["stop_s"], scored["value"]) == (0.0, 0.3, None)
    assert (event["type"], event["text"], event["stop_s"]) == ("event", TEXT, 0.3)
    assert end == {"type": "end", "status": "complete", "segments": 1, "events": 1, "notices": 0}


def test_csv_has_a_row_per_frame_and_pieces_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    with CsvSink(SinkOptions(path=str(path))) as sink:
        sink.write_timeline(timeline())
        sink.write_timeline(timeline(start=3))
        sink.end(COMPLETE)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["video", "frame", "time_s", "text", "key", "raw", "score"]
    assert [row["frame"] for row in rows] == list("012345")
    assert [row["raw"] for row in rows[:3]] == ["0.5", "", "0.25"]
    assert {row["text"] for row in rows} == {f"'{TEXT}"}


def test_events_are_one_document_even_without_an_event(tmp_path: Path) -> None:
    path = tmp_path / "e.json"
    with EventsSink(SinkOptions(path=str(path))) as sink:
        sink.begin({"versions": {}})
        sink.write_timeline(timeline())
        sink.write_event(Event(VIDEO.id, TEXT, 3723.0, 3724.5, 0.5, 3723.5, "why"))
        sink.end(COMPLETE)
    document = json.loads(path.read_text())
    assert document["events"][0]["start_time"] == "1:02:03.000"
    assert document["run"] == {"versions": {}}


def test_an_older_file_stays_until_the_new_one_is_done(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("old")
    sink = CsvSink(SinkOptions(path=str(path)))
    sink.load()
    sink.write_timeline(timeline())
    assert path.read_text() == "old"
    assert len((tmp_path / "r.csv.partial").read_text().splitlines()) == 4
    sink.end(COMPLETE)
    sink.close()
    assert path.read_text() != "old"
    assert [file.name for file in tmp_path.iterdir()] == ["r.csv"]


def test_a_place_that_cannot_be_written_is_refused_at_load(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "r.csv", tmp_path):
        with pytest.raises(OutputError, match="Cannot write"):
            CsvSink(SinkOptions(path=str(path))).load()
    with pytest.raises(OutputError, match=r"file is not a folder\. Use another path\.$"):
        CsvSink(SinkOptions(path=str(tmp_path / "file" / "r.csv"))).load()


def test_a_full_disk_is_one_sentence_and_what_was_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("of an earlier run")
    sink = CsvSink(SinkOptions(path=str(path)))
    sink.load()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then writing fails as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"Cannot continue writing .*r\.csv.*kept in .*r\.csv\.partial\."):
            sink.write_timeline(timeline(3000))
        sink.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (tmp_path / "r.csv.partial").stat().st_size == 4096
    assert path.read_text() == "of an earlier run"
