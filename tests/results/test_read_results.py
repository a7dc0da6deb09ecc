"""``anyanomaly.read_results`` returns what the sinks were given, from whole, partial and damaged files."""

from __future__ import annotations

import base64
import csv
import json
import math
import os
import re
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import anyanomaly
from anyanomaly.api import RunEnd
from anyanomaly.errors import InputError
from anyanomaly.outside_text import storable_text
from anyanomaly.results.csv_cells import guard_cell, unguard_cell
from anyanomaly.results.evidence_records import MAX_PICTURE, MAX_PICTURES
from anyanomaly.results.frame_times import even_times, uneven_times
from anyanomaly.results.records import RunRecord
from tests.results.files import COMPLETE, HEADER, JPEG, SUFFIXES, evidence, new_sink, new_video, write_results

TEXTS = st.text(
    st.characters(exclude_categories=()) | st.sampled_from("=+-@\t\r\n;'\" ＝\u2028\x85\ud800"), max_size=12
)
FORMULAS = "=+-@＝＋－＠"
QUICK = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(TEXTS, st.floats(0, 1) | st.just(math.nan), st.none() | st.floats(0, 1))
@example("a\u2028b\x85c\x0b\x1c\x00d\r\n", math.nan, None)
@example("\udcff=1+1", 0.5, 0.25)
def test_what_is_written_is_read_again(tmp_path: Path, text: str, value: float, mass: float | None) -> None:
    expected_text, expected_value = storable_text(text), None if math.isnan(value) else round(value, 6)
    for suffix in SUFFIXES:
        results = anyanomaly.read_results(write_results(tmp_path / f"r{suffix}", text, value, mass, video=text))
        assert (results.status, results.error, results.is_cut) == ("complete", "", False)
        if suffix == ".csv":
            assert {(row.video, row.text) for row in results.frames} == {(expected_text, expected_text)}
            assert [row.frame for row in results.frames] == [0, 1]
            assert [row.contexts["key"] is None for row in results.frames] == [expected_value is None, False]
            continue
        assert results.header == HEADER
        assert results.format == 2
        (event,), (notice,) = results.events, results.notices
        assert (event.video, event.text, event.stop_s) == (expected_text, expected_text, 0.2)
        assert notice.message == storable_text(f"{text} is odd.")
        assert results.end == RunEnd("complete", 2, 1, 1)
        if suffix == ".jsonl":
            first, second = results.segments
            assert (first.text, first.value, first.start, second.start, second.stop_s) == (
                *(expected_text, expected_value),
                *(0, 2, 0.4),
            )
            assert first.scores["key"].mass == (None if mass is None else round(mass, 6))
            assert len(list(results.segments)) == 2  # again from the beginning
            assert len(Path(results.path).read_bytes().decode().splitlines()) == 9


@QUICK
@given(TEXTS)
@example("=cmd|' /C calc'!A0")
@example("car;=1+1")
@example('"=1+1')
@example("'quoted")
def test_no_cell_is_a_formula_and_every_text_comes_back(text: str) -> None:
    cell = guard_cell(text)
    assert unguard_cell(cell) == text
    for part in cell.replace("\t", ";").replace("\r", ";").replace("\n", ";").split(";"):
        assert not part.lstrip(' "\u2028').startswith(tuple(FORMULAS))
    assert not cell.startswith(("\t", "\r", "\n"))


def test_numbers_of_a_csv_stay_numbers(tmp_path: Path) -> None:
    with write_results(tmp_path / "r.csv", "-1", -0.5).open(newline="") as file:
        _, first, _ = csv.reader(file)
    assert first == ["cam", "0", "0.0", "'-1", "-0.5", "-0.5", "-0.5"]


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [
        (None, "unfinished", ""),
        (RunEnd("interrupted", 2, 1, 1), "interrupted", ""),
        (RunEnd("failed", 2, 1, 1, "The engine died."), "failed", "The engine died."),
    ],
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_partial_file_says_how_its_run_ended(
    tmp_path: Path, suffix: str, end: RunEnd | None, status: str, error: str
) -> None:
    path = write_results(tmp_path / f"r{suffix}", end=end)
    assert path.name == f"r{suffix}.partial"
    results = anyanomaly.read_results(path)
    if suffix == ".csv":
        assert (results.status, len(list(results.frames))) == ("unfinished", 2)
    else:
        assert (results.status, results.error, len(results.events)) == (status, error, 1)


def test_a_file_cut_at_any_byte_gives_the_lines_before(tmp_path: Path) -> None:
    content = write_results(tmp_path / "r.jsonl", "größe", end=None).read_bytes()
    path = tmp_path / "cut.jsonl"
    first, evidence_start = content.index(b"\n"), content.index(b'{"type": "evidence"')
    for length in [*range(first, evidence_start + 9), *range(evidence_start + 9, len(content), 9), len(content)]:
        path.write_bytes(content[:length])
        results = anyanomaly.read_results(path)
        *lines, last_line = content[:length].split(b"\n")
        is_whole = last_line in content.split(b"\n")
        records = [record for record in results.records if not isinstance(record, RunRecord)]
        assert len(records) == len(lines) - 1 + (is_whole and last_line != b"")
        assert results.is_cut != is_whole
        assert results.status == "unfinished"


def test_a_csv_cut_at_any_byte_gives_the_rows_before(tmp_path: Path) -> None:
    content = write_results(tmp_path / "r.csv").read_bytes()
    path = tmp_path / "cut.csv"
    for length in range(content.index(b"\n") + 1, len(content) + 1):
        path.write_bytes(content[:length])
        results = anyanomaly.read_results(path)
        assert len(list(results.frames)) == content[:length].count(b"\n") - 1
        assert results.is_cut == (not content[:length].endswith(b"\n"))


LINES = {
    "not JSON": (2, b"nonsense"),
    "another value": (2, b'["segment"]'),
    "another type": (2, b'{"type": "segment"}'),
    "no type": (2, b"{}"),
    "too deep": (2, b"[" * 5000),
    "no UTF-8": (2, b'{"type": "notice", "video": "\xff", "message": ""}'),
    "a zero byte": (2, b"\0\0\0"),
    "a second run": (2, b'{"type": "run", "format": 2, "config": {}}'),
    "a newer format": (1, b'{"type": "run", "format": 3, "config": {}}'),
    "a format that is none": (1, b'{"type": "run", "format": "new", "config": {}}'),
    "no settings": (1, b'{"type": "run", "format": 1}'),
    "no run": (1, b'{"type": "notice", "video": "", "message": ""}'),
}
CHANGES: dict[str, dict[str, Any]] = {
    "a negative frame": {"start": -1},
    "no frame": {"stop": 0},
    "part of a frame": {"start": 0.5},
    "a frame beyond sense": {"stop": 10**30},
    "a number as text": {"start": "0"},
    "a truth value": {"start": True},
    "a value as text": {"value": "high"},
    "an infinite value": {"value": math.inf},
    "no number": {"start_s": math.nan},
    "no time": {"start_s": None},
    "scores that are none": {"scores": [0.5]},
    "an infinite score": {"scores": {"key": {"value": -math.inf, "answer": ""}}},
    "a key frame that is none": {"key_frame": "first"},
    "a sequence beyond sense": {"sequence": [10**30]},
    "a time too few": {"times": [0.0]},
    "times that go back": {"times": [0.5, 0.25]},
    "a time beyond sense": {"times": [0.5, 1e300]},
    "a score beyond sense": {"scores": {"key": {"value": 1e300}}},
    "a mass above 1": {"scores": {"key": {"value": 0.5, "answer": "", "mass": 1.5}}},
}


@pytest.mark.parametrize("name", [*LINES, *CHANGES, "1e999", "a repeated segment", "a line after the end"])
def test_a_damaged_line_is_named_with_its_file(tmp_path: Path, name: str) -> None:
    path = write_results(tmp_path / "r.jsonl")
    lines = path.read_bytes().split(b"\n")[:-1]
    number, line = LINES.get(name, (3, lines[2]))
    if name in CHANGES:
        line = json.dumps(json.loads(line) | CHANGES[name]).encode()
    line = line.replace(b"0.5", b"1e999") if name == "1e999" else line
    lines[number - 1] = line
    if name == "a repeated segment":
        number = 4
        lines.insert(3, line)
    if name == "a line after the end":
        lines.append(lines[-2])
        number = len(lines)
    path.write_bytes(b"\n".join([*lines, b""]))
    place = f"(?i:line {number}) .*r.jsonl|r.jsonl .*(line {number}:|format 3)|r.jsonl does not describe its run"
    with pytest.raises(InputError, match=place):
        list(anyanomaly.read_results(path).segments)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("cam,0,0.0,a car,0.5,0.5", "6 cells instead of 7"),
        ("cam,-1,0.0,a car,0.5,0.5,0.5", "frame: "),
        ("cam,x,0.0,a car,0.5,0.5,0.5", "invalid literal"),
        ("cam,0,nan,a car,0.5,0.5,0.5", "time_s: "),
        ("cam,0,0.0,a car,1e999,0.5,0.5", "'1e999' is not a finite number"),
        ("cam,0,0.0,a car,nan,0.5,0.5", "'nan' is not a finite number"),
        ("cam,1,0.0,a car,0.5,0.5,0.5\ncam,1,0.0,a car,0.5,0.5,0.5", "frame 1 comes twice"),
    ],
)
def test_a_damaged_row_is_named_with_its_file(tmp_path: Path, row: str, reason: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(f"video,frame,time_s,text,key,raw,score\n{row}\n")
    with pytest.raises(InputError, match=rf"Line \d of .*r.csv is not a row of scores \(.*{reason}"):
        list(anyanomaly.read_results(path).frames)


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
@pytest.mark.parametrize(("kind", "count"), [("segments", 1), ("events", 2), ("notices", 0), ("notices", 2)])
def test_records_that_were_removed_or_added_are_noticed(tmp_path: Path, suffix: str, kind: str, count: int) -> None:
    path = write_results(tmp_path / f"r{suffix}")
    path.write_text(re.sub(rf'("{kind}": )\d', rf"\g<1>{count}", path.read_text()))
    if (suffix, kind) == (".json", "segments"):  # which this format does not hold
        assert anyanomaly.read_results(path).status == "complete"
        return
    with pytest.raises(InputError, match=rf"r{suffix} has \d records of the type '{kind[:-1]}', but its end counts"):
        list(anyanomaly.read_results(path).segments)


@pytest.mark.parametrize("name", ["r.jsonl", "r.json"])
def test_a_newer_format_is_named_whatever_its_fields(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"type": "run", "format": 3, "settings": {}}\n')
    with pytest.raises(InputError, match=rf"{name} has format 3; this anyanomaly reads formats up to 2"):
        anyanomaly.read_results(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("r.csv", "cam,0,0.0,a car,LONG,0.5,0.5"),
        ("r.csv", "cam,LONG,0.0,a car,0.5,0.5,0.5"),
        ("r.jsonl", '{"type": "LONG"}'),
        ("r.jsonl", '{"type": "notice", "LONG'),
    ],
)
def test_messages_do_not_grow_with_what_they_quote(tmp_path: Path, name: str, line: str) -> None:
    path = write_results(tmp_path / name)
    head = path.read_text().splitlines()[0]
    path.write_text(f"{head}\n{line.replace('LONG', 'x9' * 30_000)}\n")
    with pytest.raises(InputError, match="ine 2") as caught:
        list(anyanomaly.read_results(path).records)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_a_row_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    rows = b"".join(b"cam,%d,0.0,a car,0.5,0.5,0.5\n" % frame for frame in range(50))
    path.write_bytes(b"video,frame,time_s,text,key,raw,score\n" + rows.replace(b"cam,40", b"c\xffm,40"))
    with pytest.raises(InputError, match=r"Line 42 of .*r\.csv .*it is not UTF-8"):
        list(anyanomaly.read_results(path).frames)


def test_files_that_are_no_results_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    for name, content in {
        "a.txt": "",
        "a.jsonl": "",
        "a.json": "",
        "b.json": "[]",
        "a.csv": "",
        "b.csv": "x,y\n",
    }.items():
        (tmp_path / name).write_text(content)
    for path in [*tmp_path.iterdir(), tmp_path / "missing.jsonl", tmp_path / "a\0b.jsonl"]:
        with pytest.raises(InputError, match=f"{path.name.replace(chr(0), '.')}"):
            list(anyanomaly.read_results(path).frames)


def test_files_without_a_version_are_read(tmp_path: Path) -> None:
    lines = write_results(tmp_path / "r.jsonl").read_text().splitlines()
    old = tmp_path / "old.jsonl"
    old.write_text("\n".join([lines[0].replace('"format": 2, ', ""), *lines[1:-1], lines[2], ""]))
    results = anyanomaly.read_results(old)
    assert (results.format, results.status, results.end) == (None, "unknown", None)
    assert [segment.segment for segment in results.segments] == [0, 1, 0]  # evaluations repeated segments


def test_a_large_file_needs_little_memory(tmp_path: Path) -> None:
    path = write_results(tmp_path / "r.jsonl")
    run, _, line, *_, end_line, _ = path.read_bytes().split(b"\n")
    segment, end = json.loads(line), json.loads(end_line)
    with path.open("wb") as file:
        file.write(run + b"\n")
        for number in range(20_000):
            file.write(json.dumps(segment | {"segment": number, "start": number, "stop": number + 1}).encode() + b"\n")
        file.write(json.dumps(end | {"segments": 20_000, "events": 0, "notices": 0}).encode())
    results = anyanomaly.read_results(path)
    tracemalloc.start()
    assert (sum(1 for _ in results.segments), results.status) == (20_000, "complete")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < path.stat().st_size / 4


PICTURE = {"jpeg": base64.b64encode(JPEG).decode(), "width": 4, "height": 4}
EVIDENCE: dict[str, tuple[str, Any]] = {
    "not base64": ("key_frame", PICTURE | {"jpeg": "/9j/\u00e9"}),
    "no JPEG": ("key_frame", PICTURE | {"jpeg": base64.b64encode(b"<svg/>").decode()}),
    "an empty picture": ("key_frame", PICTURE | {"jpeg": ""}),
    "a picture that is a number": ("key_frame", PICTURE | {"jpeg": 7}),
    "too large a picture": ("key_frame", PICTURE | {"jpeg": base64.b64encode(JPEG * (MAX_PICTURE // 8)).decode()}),
    "no size": ("key_frame", PICTURE | {"width": 0}),
    "too many pictures": ("frames", [PICTURE] * (MAX_PICTURES + 1)),
    "a weight that is none": ("weights", {"key": "high"}),
    "a map of text": ("views", {"attention": [["<b>"]]}),
    "a map of switches": ("views", {"attention": [[True]]}),
    "a ragged map": ("views", {"attention": [[1.0], [1.0, 2.0]]}),
    "a map with loose numbers": ("views", {"attention": [[1.0], 2.0]}),
    "too large a map": ("views", {"attention": [[0.5] * 1024] * 65}),
    "too deep a map": ("views", {"attention": [[[[[0.5]]]]]}),
    "a map that is none": ("views", {"attention": 0.5}),
    "a map beyond sense": ("views", {"attention": [1e308 * 10]}),
}


@pytest.mark.parametrize("name", EVIDENCE)
def test_damaged_evidence_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    path = write_results(tmp_path / "r.jsonl")
    lines = path.read_text().splitlines()
    number = next(number for number, line in enumerate(lines) if '"evidence"' in line)
    record = json.loads(lines[number])
    field, value = EVIDENCE[name]
    (record["exchanges"][0] if field == "views" else record)[field] = value
    lines[number] = json.dumps(record)
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(InputError, match=rf"[Ll]ine {number + 1}\b.*r.jsonl|r.jsonl.*line {number + 1}:"):
        list(anyanomaly.read_results(path).evidence)


@QUICK
@given(TEXTS, st.floats(0, 1) | st.just(math.nan))
def test_evidence_videos_and_truth_are_read_again(tmp_path: Path, text: str, value: float) -> None:
    results = anyanomaly.read_results(write_results(tmp_path / "r.jsonl", text, value))
    (read,), (truth,), (video,) = results.evidence, results.truth, results.videos
    expected = evidence(storable_text(text), value)
    assert repr(read.exchanges[0].views) == repr({"attention": np.array([[0.25, math.nan]]), "window": np.arange(3)})
    exchanges = [replace(piece.exchanges[0], views={}) for piece in (read, expected)]
    assert repr(replace(read, exchanges=exchanges[:1])) == repr(replace(expected, exchanges=exchanges[1:]))
    assert (truth.text, truth.spans) == (storable_text(text), ((0.0, 0.1),))
    assert video == new_video("cam")


def test_a_video_shows_no_password(tmp_path: Path) -> None:
    with new_sink(tmp_path / "r.jsonl") as sink:
        sink.write_video(replace(new_video("cam"), uri="rtsp://user:secret@camera/stream?token=secret"))
        sink.end(COMPLETE)
    assert "secret" not in (tmp_path / "r.jsonl").read_text()


@QUICK
@given(
    st.sampled_from([24.0, 25.0, 30.0, 30000 / 1001, 24000 / 1001, 12.5, 29.83, 1e-5, 7e5, 1e8]) | st.floats(1e-6, 1e9),
    st.integers(0, 2**40),
    st.floats(0, 1e-3) | st.just(0.0),
)
def test_times_are_exact_and_short_for_a_steady_rate(fps: float, start: int, shift: float) -> None:
    rate = Fraction(fps).limit_denominator(2000) or Fraction(fps)
    times_s = np.array([float(frame / rate) for frame in range(start, start + 5)])
    stored = uneven_times(times_s + shift, start, fps)
    again = even_times(start, start + 5, fps) if stored is None else np.array(json.loads(json.dumps(stored)))
    assert np.array_equal(again, times_s + shift)
    if shift == 0 and start < 2**30 and fps in (25.0, 30.0, 30000 / 1001, 24000 / 1001, 12.5):
        assert stored is None
