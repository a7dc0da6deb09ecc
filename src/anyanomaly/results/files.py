"""Open result files for reading, with the errors of all formats."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from anyanomaly.api.sink import RunEnd
from anyanomaly.errors import InputError
from anyanomaly.outside_files import open_regular
from anyanomaly.results.gzip_lines import MAGIC, open_gzip
from anyanomaly.results.records import FORMAT

MAX_LINE = 1 << 26
"""Bytes of a line: a file without line ends must not fill the memory."""
COUNTED = ("segment", "event", "notice")
"""Types of records whose number the end of a file has."""
_PARQUET = b"PAR1"
_MAX_REASON = 200  # characters of a message that quotes a damaged file


@contextlib.contextmanager
def open_results(path: Path) -> Iterator[BinaryIO]:
    """Open a result file.

    :raises InputError: when it cannot be read, or is no regular file: reading a pipe may never end.
    """
    try:
        with open_regular(path) as file:
            yield file
    except OSError as error:
        raise InputError(f"Cannot read the results {path}: {error.strerror}. Check the path.") from error


@contextlib.contextmanager
def open_lines(path: Path) -> Iterator[BinaryIO]:
    """Open a file of lines, and unpack it if it is compressed. Errors as `open_results`; reading: `DamagedGzip`."""
    with open_results(path) as file:
        is_packed = file.read(len(MAGIC)) == MAGIC
        file.seek(0)
        yield open_gzip(file) if is_packed else file


def is_parquet(path: Path) -> bool:
    """Return whether a file begins as a Parquet file. Errors as `open_results`."""
    with open_results(path) as file:
        return file.read(len(_PARQUET)) == _PARQUET


def check_format(version: int | None, path: Path) -> None:
    """:raises InputError: when the format is newer than this version of anyanomaly."""
    if version is not None and version > FORMAT:
        raise InputError(
            f"{path} has format {version}; this anyanomaly reads formats up to {FORMAT}. Install a newer version."
        )


def check_format_of(content: bytes, path: Path) -> None:
    """Check the format of a record that cannot be read: a newer format may have other fields.

    :raises InputError: when it is newer than this version of anyanomaly.
    """
    try:
        version = json.loads(content)["format"]
    except (ValueError, TypeError, KeyError, RecursionError):  # it has no format
        return
    if isinstance(version, int):
        check_format(version, path)


def check_counts(counts: Mapping[str, int], end: RunEnd, path: Path) -> None:
    """Check that a file has as many records as its end says. ``counts``: number of records by type.

    :raises InputError: when some were removed or added.
    """
    for kind, count in counts.items():
        expected = {"segment": end.n_segments, "event": end.n_events, "notice": end.n_notices}[kind]
        if count != expected:
            raise InputError(
                f"{path} has {count} records of the type '{kind}', but its end counts {expected}: some were removed or "
                f"added. Get the file again, or remove its end to read it as unfinished."
            )


def describe(error: ValidationError) -> str:
    """Return what is wrong with a record, in a few words: "scores.key.value: Input should be a finite number"."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return shorten(f"{place}: {first['msg']}" if place else first["msg"])


def shorten(reason: str) -> str:
    """Return a reason that may quote a damaged file, at a length that a message can have."""
    return reason if len(reason) <= _MAX_REASON else f"{reason[:_MAX_REASON]}..."
