"""``docs/results.md`` documents every field that result files have, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from anyanomaly.results.records import (
    ContextScore,
    EndRecord,
    EventRecord,
    EventsDocument,
    FrameScore,
    NoticeRecord,
    RunRecord,
    SegmentRecord,
)

PAGE = Path(__file__).parents[2] / "docs" / "results.md"
TABLES: dict[str, type[BaseModel]] = {
    "run": RunRecord,
    "segment": SegmentRecord,
    "scores of a context": ContextScore,
    "event": EventRecord,
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
