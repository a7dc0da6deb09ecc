"""Parquet tables: what pandas and polars see, and that no file harms the reader."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import anyanomaly
from anyanomaly.api import RunEnd
from anyanomaly.errors import InputError, MissingRequirement, OutputError
from anyanomaly.registry import load
from anyanomaly.results.evidence_records import EvidenceRecord
from tests.results.files import HEADER, new_sink, segment, write_results


def test_a_row_per_segment_and_text_with_columns_per_context(tmp_path: Path) -> None:
    path = write_results(tmp_path / "r.parquet", "größe", 0.25, 0.75, times_s=[0.0, 0.125])
    table = pq.read_table(path)
    first, second = table.to_pylist()
    assert list(first) == table.column_names
    assert first == {
        "video": "cam", "segment": 0, "start": 0, "stop": 2, "start_s": 0.0, "stop_s": 0.225, "text": "größe",
        "value": 0.25, "score.key": 0.25, "mass.key": 0.75, "answer.key": "0.5. größe",
        "key_frame": 0, "sequence": [0, 1], "times": [0.0, 0.125],
    }  # fmt: skip
    assert second["times"] is None
    metadata = {
        key.decode(): json.loads(value)
        for key, value in pq.read_metadata(path).metadata.items()
        if key.startswith(b"anyanomaly.")
    }
    assert metadata["anyanomaly.run"] == {"format": 2, **HEADER}
    assert metadata["anyanomaly.event"][0]["rationale"] == "because größe"
    assert metadata["anyanomaly.notice"][0]["message"] == "größe is odd."
    assert metadata["anyanomaly.end"][0]["status"] == "complete"


def test_a_table_has_the_records_of_the_lines(tmp_path: Path) -> None:
    lines = anyanomaly.read_results(write_results(tmp_path / "r.jsonl", value=math.nan))
    table = anyanomaly.read_results(write_results(tmp_path / "r.parquet", value=math.nan))
    assert (table.status, table.header, table.end) == ("complete", lines.header, lines.end)
    assert list(table.records) == [record for record in lines.records if not isinstance(record, EvidenceRecord)]


@pytest.mark.parametrize("end", [None, RunEnd("interrupted", 2, 1, 1)])
def test_a_run_that_did_not_complete_leaves_lines_that_can_be_read(tmp_path: Path, end: RunEnd | None) -> None:
    path = tmp_path / "r.parquet"
    path.write_text("of an earlier run")
    partial = write_results(path, end=end)
    assert partial.name == "r.parquet.partial"
    results = anyanomaly.read_results(partial)
    assert (results.status, len(results.events)) == (end.status if end else "unfinished", 1)
    assert [record.value for record in results.segments] == [0.5, 0.5]
    assert path.read_text() == "of an earlier run"


def test_rows_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyanomaly.results.parquet.ROW_GROUP", 40)
    path = tmp_path / "r.parquet"
    with new_sink(path) as sink:
        sink.begin(HEADER)
        for number in range(100):
            sink.write_segment(segment("a car", number))
        sink.end(RunEnd("complete", 100, 0, 0))
    assert pq.ParquetFile(path).num_row_groups == 3
    assert [record.segment for record in anyanomaly.read_results(path).segments] == list(range(100))
    assert [file.name for file in tmp_path.iterdir()] == ["r.parquet"]


def test_a_run_without_results_is_an_empty_table(tmp_path: Path) -> None:
    with new_sink(tmp_path / "r.parquet") as sink:
        sink.begin(HEADER)
        sink.end(RunEnd("complete", 0, 0, 0))
    assert "score.key" in pq.read_table(tmp_path / "r.parquet").column_names
    assert anyanomaly.read_results(tmp_path / "r.parquet").status == "complete"


@pytest.mark.parametrize("path", ["-", "/dev/stdout", "/dev/full"])
def test_what_is_no_file_is_refused(path: str) -> None:
    with pytest.raises(OutputError, match="Parquet needs a file"):
        new_sink(Path("r.parquet")).__class__(anyanomaly.api.SinkOptions(path=path)).load()


def changed_tables(path: Path) -> dict[str, bytes | pa.Table]:
    content, table = path.read_bytes(), pq.read_table(path)
    metadata = pq.read_metadata(path).metadata
    row = table.slice(0, 1)

    def with_metadata(name: bytes, value: bytes) -> pa.Table:
        return table.replace_schema_metadata({**metadata, b"anyanomaly." + name: value})

    return {
        "cut": content[:-9],
        "beginning only": b"PAR1" + b"\0" * 30,
        "changed": content[:40] + b"\xff" * 60 + content[100:],
        "no metadata": table.replace_schema_metadata({}),
        "a newer format": with_metadata(b"run", b'{"format": 3, "config": {}}'),
        "events of nothing": with_metadata(b"event", b'[{"text": 7}]'),
        "no number": with_metadata(b"notice", b'[{"video": "", "message": ""}]'),
        "a number as text": with_metadata(b"notice", b'[{"record": "7", "video": "", "message": ""}]'),
        "no JSON": with_metadata(b"end", b"\xff"),
        "a row too few": row.replace_schema_metadata(metadata),
        "a repeated row": pa.concat_tables([row, row]).replace_schema_metadata(metadata),
        "a column of text": table.set_column(2, "start", pa.array(["0", "2"])).replace_schema_metadata(metadata),
        "no column": table.drop_columns(["start"]).replace_schema_metadata(metadata),
    }


def test_damaged_tables_are_named(tmp_path: Path) -> None:
    for name, content in changed_tables(write_results(tmp_path / "r.parquet")).items():
        path = tmp_path / f"{name}.parquet"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            pq.write_table(content, path)
        with pytest.raises(InputError, match=rf"{name}\.parquet"):
            list(anyanomaly.read_results(path).records)


def test_the_sink_names_the_package_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = load(())
    spec = registry.sink_for("x/results.PARQUET")
    monkeypatch.setattr("anyanomaly.registry.missing_requirement", lambda text: text)
    with pytest.raises(MissingRequirement, match=r"Sink 'parquet' needs pyarrow>=18\. Run: .* install .*\[parquet\]"):
        registry.check_requirements(spec)
