"""Every output of a run with gates says what was not asked: from the command line to the files, and back."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

import anyanomaly
from tests.cli.conftest import Cli

PLAIN = ("--encoder", "colour", "--backend", "red", "--segment-frames", "8", "--smooth-seconds", "0")
GATE_PLUGIN = str(Path(__file__).with_name("gate_plugin.py"))
NAMES = ("r.jsonl", "r.jsonl.gz", "r.csv", "r.parquet")


def output_flags(names: tuple[str, ...]) -> list[str]:
    return [flag for name in names for flag in ("-o", name)]


@pytest.fixture
def gated(cli: Cli) -> Cli:
    """Return `cli` beside the outputs of a run that was asked about one of the four segments of the street."""
    outputs = output_flags((*NAMES, "r.html", "r.svg"))
    flags = ("-t", "red", *PLAIN, "--gate", "red", "--budget", "25%")
    result = cli("-p", GATE_PLUGIN, "run", "street.scene", *flags, *outputs)
    assert result.code == 0, result.err
    assert re.search(r"asked about 1 of 4 segments", result.err)
    return cli


def test_every_output_says_what_was_not_asked(gated: Cli) -> None:
    records = list(anyanomaly.read_results("r.jsonl").segments)
    asked = [record.any_asked for record in records]
    assert sum(asked) == 1
    for record in records:
        assert set(record.priorities) == {"red"}
        for name, score in record.scores.items():
            assert record.is_asked(name) == record.any_asked
            assert (score.value is None) == (not record.any_asked)  # null, and never the model's 0
        assert record.any_asked or record.value < 0.5
    for name in NAMES[1:]:
        if name != "r.csv":
            copies = list(anyanomaly.read_results(name).segments)
            assert [record.model_dump(exclude={"times"}) for record in copies] == [
                record.model_dump(exclude={"times"}) for record in records
            ]
    with open("r.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["asked"] for row in rows] == [str(flag).lower() for flag in asked for _ in range(8)]
    assert {row["key"] for row in rows if row["asked"] == "false"} == {""}
    page = Path("r.html").read_text("utf-8")
    assert "asked about 1 of 4 segments" in page
    assert "not asked: score of the gates" in page
    assert "not asked: score of the gates" in Path("r.svg").read_text("utf-8")


def test_stored_results_give_the_same_files_and_another_threshold_keeps_what_was_not_asked_below_it(
    gated: Cli,
) -> None:
    Path("again").mkdir()
    result = gated("report", "r.jsonl", *output_flags(tuple(f"again/{name}" for name in NAMES)))
    assert "4 scores (3 of them not asked)" in result.err
    for name in NAMES:
        assert Path("again", name).read_bytes() == Path(name).read_bytes(), name
    assert gated("report", "r.parquet", "--threshold", "0.01", "-o", "strict.jsonl").code == 0
    values = [record.value for record in anyanomaly.read_results("strict.jsonl").segments if not record.any_asked]
    assert len(values) == 3
    assert all(value < 0.01 for value in values)


def test_contexts_that_a_clear_score_makes_needless_are_marked_and_the_segment_is_not(cli: Cli) -> None:
    limits = ("--clear-below", "0.5", "--clear-above", "0.6")
    result = cli("run", "street.scene", "-t", "red", *PLAIN, *limits, *output_flags((*NAMES, "r.html")))
    assert result.code == 0, result.err
    for name in ("r.jsonl", "r.parquet"):
        for record in anyanomaly.read_results(name).segments:
            assert [record.is_asked(context) for context in record.scores] == [True, False, False]
            assert record.scores["key"].value is not None
            assert record.value == pytest.approx(record.scores["key"].value, abs=1e-6)
    frames = list(anyanomaly.read_results("r.csv").frames)
    assert {(row.asked, *row.contexts_asked.values()) for row in frames} == {(True, True, False, False)}
    page = Path("r.html").read_text("utf-8")
    assert "8 contexts of the segments that were asked about were not asked" in page
    assert "not asked: score of the gates" not in page


def test_without_gates_no_file_has_a_sign_of_them(cli: Cli) -> None:
    names = ("r.jsonl", "r.csv", "r.parquet")
    result = cli("run", "street.scene", "-t", "red", *PLAIN, *output_flags(names))
    assert "asked about" not in result.err
    lines = Path("r.jsonl").read_text("utf-8").splitlines()
    assert not any('"asked"' in line or '"priorities"' in line for line in lines[1:])
    assert Path("r.csv").read_text("utf-8").splitlines()[0] == "video,frame,time_s,text,key,position,temporal,raw,score"
    pyarrow = pytest.importorskip("pyarrow.parquet")
    assert not [name for name in pyarrow.read_schema("r.parquet").names if "asked" in name or "priority" in name]
