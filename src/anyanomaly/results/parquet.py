"""Results as a Parquet table: a row per segment and event text, and all other records in the metadata of its schema.

A Parquet file is complete or unreadable, so it is made of JSON lines when a run ends.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from anyanomaly.errors import InputError, MissingRequirement
from anyanomaly.install import install_command
from anyanomaly.outside_text import json_text
from anyanomaly.rehearsal import rehearse
from anyanomaly.results.evidence_records import EvidenceRecord
from anyanomaly.results.fields import StrictRecord
from anyanomaly.results.files import describe, shorten
from anyanomaly.results.json_lines import RECORD, read_records
from anyanomaly.results.order_check import OrderCheck
from anyanomaly.results.records import EndRecord, Record, RunRecord, SegmentRecord
from anyanomaly.results.run_header import can_skip_questions, gate_names

ROW_GROUP = 20_000
"""Rows that are written at once."""
SEGMENT_COLUMNS = {
    "video": "string",
    "segment": "int64",
    "start": "int64",
    "stop": "int64",
    "start_s": "float64",
    "stop_s": "float64",
    "text": "string",
    "value": "float64",
}
CONTEXT_COLUMNS = {"score": "float64", "mass": "float64", "answer": "string"}
"""Columns of each context, with its name: ``score.key``."""
ASKED, PRIORITY = "asked", "priority"
"""Columns of runs that may leave something unasked: ``asked``, ``asked.key``; with gates also ``priority.motion``."""
FRAME_COLUMNS = {"key_frame": "int64", "sequence": "int64", "times": "float64"}
OTHER_KINDS = ("video", "event", "truth", "notice", "end")
"""Types of records that are no rows. The metadata have a list of each."""
PREFIX = "anyanomaly."
"""Of the names in the metadata."""
_BATCH = 1_000  # rows that are read at once
_LIMIT_S = 600  # for the first reading of a file


class _Entry(StrictRecord):
    """A record in the metadata."""

    model_config = ConfigDict(frozen=True, extra="allow")

    record: Annotated[int, Field(strict=True, ge=1)]  # its number in the order of the run


_RUN: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_LIST = TypeAdapter(list[_Entry])


def require_pyarrow() -> Any:
    """Return pyarrow with its module for Parquet.

    :raises MissingRequirement: when it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingRequirement(f"Parquet needs pyarrow. Run: {install_command('anyanomaly[parquet]')}") from error
    return pyarrow


def write_parquet(source: Path, target: Path) -> None:
    """Write the records of a file of JSON lines as a Parquet file; evidence is left out.

    :raises InputError: when ``source`` is damaged. :raises OSError: when ``target`` cannot be written.
    """
    pa = require_pyarrow()
    records = (record for record in read_records(source) if not isinstance(record, EvidenceRecord))
    run = next(records)
    assert isinstance(run, RunRecord)  # `read_records` checks it
    other_records: dict[str, list[dict[str, Any]]] = {kind: [] for kind in OTHER_KINDS}
    names = list(run.config.get("contexts", ()))
    gates = gate_names(run.header) if can_skip_questions(run.header) else None
    rows: list[SegmentRecord] = []
    with contextlib.ExitStack() as stack:
        writer: Any = None
        for number, record in enumerate(records, start=1):
            if isinstance(record, SegmentRecord):
                if writer is None:
                    names = list(record.scores)
                    writer = stack.enter_context(_new_writer(pa, target, names, gates))
                rows.append(record)
                if len(rows) == ROW_GROUP:
                    writer.write_table(_table(pa, rows, names, gates))
                    rows = []
            else:
                fields = record.model_dump(mode="json", exclude={"type"}, exclude_unset=True)
                other_records[record.type].append({"record": number, **fields})
        writer = writer or stack.enter_context(_new_writer(pa, target, names, gates))
        if rows:
            writer.write_table(_table(pa, rows, names, gates))
        metadata: dict[str, Any] = {"run": {"format": run.format, **run.header}, **other_records}
        writer.add_key_value_metadata({f"{PREFIX}{name}": json_text(value) for name, value in metadata.items()})


def read_parquet(path: Path) -> Iterator[Record]:
    """Yield the records of a Parquet file, in the order of the run and without evidence.

    :raises InputError: when the file cannot be read or is not of a run, with the number of the record.
    :raises MissingRequirement: without pyarrow.
    """
    check = OrderCheck("Record")
    with _opened(path) as file:
        other_records = _other_records(file, path)
        rows = _segment_records(file, path)
        number = 0
        while True:
            record = other_records.pop(number, None) or next(rows, None)
            if record is None:
                if not other_records:
                    break
                record = other_records.pop(min(other_records))
            number += 1
            check.add(record, number, path)
            yield record
    check.check_run(path)


def read_parquet_ends(path: Path) -> tuple[RunRecord, EndRecord | None]:
    """Return the first and the last record of a Parquet file, without its rows. Errors as `read_parquet`."""
    with _opened(path) as file:
        other_records = _other_records(file, path)
    run = other_records[0]
    assert isinstance(run, RunRecord)  # `_other_records` puts it there
    return run, next((record for record in other_records.values() if isinstance(record, EndRecord)), None)


def try_parquet(path: str) -> None:
    """Read a Parquet file to its end: it runs in a child process, because a damaged file may end the process."""
    for _ in require_pyarrow().parquet.ParquetFile(path).iter_batches(_BATCH):
        pass


@cache
def _rehearse_once(path: str, mtime_ns: int, size: int) -> None:
    """Read a file in a child process first, unless this process has done so. The numbers tell its versions apart."""
    rehearse(f"{__name__}:try_parquet", path, name=path, error=InputError, limit_s=_LIMIT_S)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a Parquet file that was read in a child process before."""
    pa = require_pyarrow()
    state = path.stat()
    _rehearse_once(str(path), state.st_mtime_ns, state.st_size)
    try:
        with pa.parquet.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"Cannot read {path}: {shorten(str(error))}. Give a file that `run -o FILE.parquet` wrote."
        ) from error


def _other_records(file: Any, path: Path) -> dict[int, Record]:
    """Return the records that are no rows, by their number in the order of the run; 0 is that of the run.

    :raises InputError: when one is damaged.
    """
    metadata = {key.decode("utf-8", "replace"): value for key, value in (file.metadata.metadata or {}).items()}
    records: dict[int, Record] = {}
    for kind in ("run", *OTHER_KINDS):
        content = metadata.get(f"{PREFIX}{kind}", b"[]")
        try:
            if kind == "run":
                records[0] = RunRecord.model_validate(_RUN.validate_json(content))
                continue
            for entry in _LIST.validate_json(content):
                records[entry.record] = RECORD.validate_python({**(entry.model_extra or {}), "type": kind})
        except ValidationError as error:
            raise InputError(
                f"The metadata '{PREFIX}{kind}' of {path} are not of a run ({describe(error)}); give a file that "
                f"`run -o FILE.parquet` wrote."
            ) from error
    return records


def _segment_records(file: Any, path: Path) -> Iterator[SegmentRecord]:
    """Yield the rows as records. :raises InputError: when one is damaged."""
    number = 0
    for batch in file.iter_batches(_BATCH):
        for row in batch.to_pylist():
            number += 1
            try:
                yield SegmentRecord.model_validate(_record_fields(row))
            except ValidationError as error:
                raise InputError(
                    f"Row {number} of {path} is not a segment of a run ({describe(error)}); give a file that "
                    f"`run -o FILE.parquet` wrote."
                ) from error


def _record_fields(row: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a row as those of a line of JSON."""
    fields = {name: row.get(name) for name in (*SEGMENT_COLUMNS, *FRAME_COLUMNS)}
    fields["sequence"] = tuple(fields["sequence"] or ())
    scores = {
        name: {
            "value": row[f"score.{name}"],
            "mass": row.get(f"mass.{name}"),
            "answer": row.get(f"answer.{name}"),
            "asked": _true_unless_false(row.get(f"{ASKED}.{name}")),
        }
        for name in _names_after("score", row)
    }
    priorities = {name: row[f"{PRIORITY}.{name}"] for name in _names_after(PRIORITY, row)}
    return {
        **fields,
        "asked": _true_unless_false(row.get(ASKED)),
        "priorities": {name: priority for name, priority in priorities.items() if priority is not None},
        "scores": {name: score for name, score in scores.items() if score["answer"] is not None},
    }


def _names_after(prefix: str, row: dict[str, Any]) -> list[str]:
    return [column.partition(".")[2] for column in row if column.startswith(f"{prefix}.")]


def _true_unless_false(value: Any) -> Any:
    """Return true for an empty cell or a missing column: it was asked."""
    return True if value is None else value


def _new_writer(pa: Any, target: Path, names: Sequence[str], gates: Sequence[str] | None) -> Any:
    return pa.parquet.ParquetWriter(target, _schema(pa, names, gates), compression="zstd")


def _schema(pa: Any, names: Sequence[str], gates: Sequence[str] | None) -> Any:
    """:param gates: names of the gates; None: the run asks about everything."""
    columns = {name: getattr(pa, kind)() for name, kind in SEGMENT_COLUMNS.items()}
    columns |= {f"{column}.{name}": getattr(pa, kind)() for name in names for column, kind in CONTEXT_COLUMNS.items()}
    columns["key_frame"] = pa.int64()
    columns |= {name: pa.list_(getattr(pa, FRAME_COLUMNS[name])()) for name in ("sequence", "times")}
    if gates is not None:
        columns |= dict.fromkeys([ASKED, *(f"{ASKED}.{name}" for name in names)], pa.bool_())
        columns |= {f"{PRIORITY}.{gate}": pa.float64() for gate in gates}
    return pa.schema(columns.items())


def _table(pa: Any, rows: Sequence[SegmentRecord], names: Sequence[str], gates: Sequence[str] | None) -> Any:
    columns: dict[str, list[Any]] = {
        name: [getattr(row, name) for row in rows] for name in (*SEGMENT_COLUMNS, *FRAME_COLUMNS)
    }
    for name in names:
        scores = [row.scores.get(name) for row in rows]
        columns[f"score.{name}"] = [score and score.value for score in scores]
        columns[f"mass.{name}"] = [score and score.mass for score in scores]
        columns[f"answer.{name}"] = [score and score.answer for score in scores]
        if gates is not None:
            columns[f"{ASKED}.{name}"] = [score and row.is_asked(name) for row, score in zip(rows, scores, strict=True)]
    if gates is not None:
        columns[ASKED] = [row.any_asked for row in rows]
        columns |= {f"{PRIORITY}.{gate}": [row.priorities.get(gate) for row in rows] for gate in gates}
    return pa.table(columns, schema=_schema(pa, names, gates))
