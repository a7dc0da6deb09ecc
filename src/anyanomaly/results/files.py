"""Open result files for reading, with the errors of all formats."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from anyanomaly.errors import InputError
from anyanomaly.outside_files import open_regular
from anyanomaly.results.records import FORMAT

MAX_LINE = 1 << 26
"""Bytes of a line: a file without line ends must not fill the memory."""


@contextlib.contextmanager
def open_results(path: Path) -> Iterator[BinaryIO]:
    """Open a result file.

    :raises InputError: when it cannot be read, or is no regular file: reading a pipe may never end.
    """
    try:
        with open_regular(path) as file:
            yield file
    except OSError as error:
        raise InputError(f"Cannot read the results {path}: {error.strerror}. Give a file.") from error


def check_format(version: int | None, path: Path) -> None:
    """:raises InputError: when the format is newer than this version of anyanomaly."""
    if version is not None and version > FORMAT:
        raise InputError(
            f"{path} has format {version}; this anyanomaly reads formats up to {FORMAT}. Install a newer version."
        )


def describe(error: ValidationError) -> str:
    """Return what is wrong with a record, in a few words: "scores.key.value: Input should be a finite number"."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
