"""Read .jsonl files line by line, so that their size does not matter."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError

from anyanomaly.errors import InputError
from anyanomaly.results.files import (
    MAX_LINE,
    check_format_of,
    describe,
    open_lines,
)
from anyanomaly.results.gzip_lines import DamagedGzip
from anyanomaly.results.order_check import OrderCheck
from anyanomaly.results.records import EndRecord, Record, RunRecord

RECORD: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="type")])
_TAIL = 1 << 16
"""Bytes that are read first to find the last line."""


class LastLine(NamedTuple):
    """What the end of a file says about its run."""

    end: EndRecord | None  # None: the run is still writing, or was killed
    is_cut: bool  # the last line is not whole


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of a file. A last line that is not whole, as a killed run leaves it, is left out.

    :raises InputError: when the file cannot be read or is not of a run, with the number of the line.
    """
    check = OrderCheck()
    with open_lines(path) as file:
        for number, line in enumerate(_lines(file, path), start=1):
            if len(line) > MAX_LINE:
                raise InputError(f"Line {number} of {path} has more than {MAX_LINE >> 20} MiB; give a .jsonl file.")
            record = _parse(line, number, path)
            if record is not None:
                check.add(record, number, path)
                yield record
    check.check_run(path)


def read_run(path: Path) -> RunRecord:
    """Return the first line of a file. Errors as `read_records`."""
    return next(record for record in read_records(path) if isinstance(record, RunRecord))


def read_last_line(path: Path) -> LastLine:
    """Return what the last line of a file says, without reading the others. Errors as `read_records`."""
    with open_lines(path) as file:
        line = _find_last_line(file) if file.seekable() else _read_last_line(file, path)
    if not line:
        return LastLine(None, False)
    try:
        record = RECORD.validate_json(line)
    except ValidationError:
        return LastLine(None, not line.endswith(b"\n"))
    return LastLine(record if isinstance(record, EndRecord) else None, False)


def _lines(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, each with its end; of one that is too long, the beginning.

    :raises InputError: when it is compressed and cannot be unpacked.
    """
    number = 0
    try:
        while line := file.readline(MAX_LINE + 1):
            number += 1
            yield line
    except DamagedGzip as error:
        raise InputError(f"Line {number + 1} of {path} cannot be unpacked ({error}). Get the file again.") from error


def _parse(line: bytes, number: int, path: Path) -> Record | None:
    """Return the record of a line; None for the beginning of one."""
    try:
        return RECORD.validate_json(line)
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] != "json_invalid":
            if number == 1:
                check_format_of(line, path)
            raise InputError(
                f"Line {number} of {path} is not a result of a run ({describe(error)}); give a file that "
                f"`run -o FILE.jsonl` wrote."
            ) from error
        if number > 1 and not line.endswith(b"\n"):
            return None
        raise InputError(
            f"{path} has a line that is not JSON (line {number}: {describe(error)}); give a .jsonl file that "
            f"`anyanomaly run` wrote."
        ) from error


def _read_last_line(file: BinaryIO, path: Path) -> bytes:
    """Return the last line of a file that is compressed. Errors as `_lines`."""
    last_line = b""
    for last_line in _lines(file, path):  # noqa: B007
        pass
    return last_line


def _find_last_line(file: BinaryIO) -> bytes:
    """Return the last line with its end; empty for an empty file, and for a line that is too long."""
    size = file.seek(0, os.SEEK_END)
    length = _TAIL
    while True:
        start = max(0, size - length)
        file.seek(start)
        tail = file.read(size - start)
        _, line_end, last_line = tail.removesuffix(b"\n").rpartition(b"\n")
        if start == 0 or line_end:
            return last_line + (b"\n" if tail.endswith(b"\n") else b"")
        if length > MAX_LINE:
            return b""
        length *= 2
