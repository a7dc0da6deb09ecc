"""``docs/results.md`` documents every field that result files have, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from anyanomaly.api import RunEnd
from anyanomaly.results.evidence_records import EvidenceRecord, ExchangeRecord, PictureRecord
from anyanomaly.results.records import (
    ContextScore,
    EndRecord,
    EventRecord,
    EventsDocument,
    FrameScore,
    NoticeRecord,
    RunRecord,
    SegmentRecord,
    TruthRecord,
    VideoRecord,
)
from tests.results.files import write_gated_results, write_results

PAGE = Path(__file__).parents[2] / "docs" / "results.md"
TABLES: dict[str, type[BaseModel]] = {
    "run": RunRecord,
    "video": VideoRecord,
    "segment": SegmentRecord,
    "scores of a context": ContextScore,
    "evidence": EvidenceRecord,
    "question of evidence": ExchangeRecord,
    "picture of evidence": PictureRecord,
    "event": EventRecord,
    "truth": TruthRecord,
    "notice": NoticeRecord,
    "end": EndRecord,
    "FILE.json": EventsDocument,
    "FILE.csv": FrameScore,
}


def json_type(schema: dict[str, Any]) -> str:
    """Return the type of a field in words, from its JSON schema."""
    if "anyOf" in schema:
        return " or ".join(json_type(option) for option in schema["anyOf"])
    return str(schema.get("type", "object"))


def rows(model: type[BaseModel]) -> list[str]:
    """Return the rows of the table of a record."""
    fields = model.model_json_schema()["properties"]
    assert all(field.get("description") for field in fields.values()), f"{model.__name__}: a field has no description"
    return [f"| `{name}` | {json_type(field)} | {field['description']} |" for name, field in fields.items()]


@pytest.mark.parametrize("heading", TABLES)
def test_the_page_has_the_fields_of_each_record(heading: str) -> None:
    section = PAGE.read_text(encoding="utf-8").split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]
    table = [line for line in section.splitlines() if line.startswith("| `")]
    assert table == rows(TABLES[heading])


def test_files_have_the_fields_of_their_records(tmp_path: Path) -> None:
    failed = RunEnd("failed", 2, 1, 1, "The engine died.", mean_mass=0.9)
    path = write_results(tmp_path / "r.jsonl", mass=0.9, end=failed, times_s=[0.0, 0.125])
    lines = {line["type"]: line for line in map(json.loads, reversed(path.read_text().splitlines()))}
    only_json = {"start_time", "stop_time"}
    only_gated = {"asked", "priorities"}
    for kind in ("run", "video", "segment", "evidence", "event", "truth", "notice", "end"):
        assert set(lines[kind]) == set(TABLES[kind].model_fields) - only_json - only_gated
    assert set(lines["segment"]["scores"]["key"]) == set(ContextScore.model_fields) - only_gated
    (exchange,) = lines["evidence"]["exchanges"]
    assert set(exchange) == set(ExchangeRecord.model_fields) - only_gated
    assert set(exchange["pictures"][0]) == set(PictureRecord.model_fields)
    document = json.loads(write_results(tmp_path / "e.json", end=failed).read_text())
    assert set(document) == set(EventsDocument.model_fields)
    for kind, record in (
        ("event", document["events"][0]),
        ("notice", document["notices"][0]),
        ("end", document["end"]),
    ):
        assert set(record) == set(TABLES[kind].model_fields) - {"type"}
    header = write_results(tmp_path / "f.csv").read_text().splitlines()[0].replace("key", "contexts")
    assert header.split(",") == [name for name in FrameScore.model_fields if "asked" not in name]


def test_files_of_a_run_with_gates_have_the_fields_that_say_what_was_asked(tmp_path: Path) -> None:
    path = write_gated_results(tmp_path / "r.jsonl")
    _, _, first, second, evidence, _ = map(json.loads, path.read_text().splitlines())
    assert set(first) | set(second) == set(SegmentRecord.model_fields)
    assert set(second["scores"]["key"]) == set(ContextScore.model_fields)
    assert set(evidence) == set(EvidenceRecord.model_fields)
    assert set(evidence["exchanges"][1]) == set(ExchangeRecord.model_fields)
    header = write_gated_results(tmp_path / "f.csv").read_text().splitlines()[0].split(",")
    assert [name.replace("key", "contexts").replace(".", "_") for name in header[:-1]] == [
        name for name in FrameScore.model_fields if name != "contexts_asked"
    ]
    assert header[-1] == "asked.key"
