"""Results of finished cells on disk, one file each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from anyanomaly.api.safe_file import SafeFile, check_plain, write_file
from anyanomaly.bench.cell_result import CellResult
from anyanomaly.bench.cells import Cell
from anyanomaly.errors import InputError, OutputError
from anyanomaly.outside_files import read_bounded
from anyanomaly.outside_text import json_text


class Ledger:
    """The results of a bench in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self) -> None:
        """:raises OutputError: when the folder cannot be written to."""
        path = self.path("check")
        check_plain(path)
        with SafeFile(str(path)):
            pass

    def get(self, cell: Cell) -> CellResult | None:
        """Return the result of a cell; None when there is none, or one of another configuration or version."""
        try:
            content = json.loads(read_bounded(self.path(cell.file_stem)))
            return CellResult.from_json(content) if content["key"] == cell.key else None
        except (OSError, ValueError, KeyError, TypeError, InputError):  # no result: the cell runs again
            return None

    def put(self, cell: Cell, result: CellResult) -> None:
        """Write the result of a cell.

        :raises OutputError: when it cannot be written.
        """
        write_file(self.path(cell.file_stem), to_json({"key": cell.key, "label": cell.label, **result.to_json()}))

    def log(self, cell: Cell) -> Path:
        """Create the file for the output of the process that runs a cell.

        :raises OutputError: when it cannot be written.
        """
        path = self.path(cell.file_stem).with_suffix(".log")
        check_plain(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        except OSError as error:
            raise OutputError(f"Cannot write {path}: {error.strerror}.") from error
        return path

    def page(self, cell: Cell) -> Path:
        """Return the page with the worst mistakes of a cell; it is not written without the library for its charts."""
        return self.folder / "pages" / f"{cell.file_stem}.html"

    def path(self, stem: str) -> Path:
        """Return the file of a cell."""
        return self.folder / "cells" / f"{stem}.json"


def to_json(value: Any) -> str:
    """Return a value as indented JSON, with pairs of numbers on one line."""
    text = json_text(value, indent=1)
    return re.sub(r"\[\s+([-\d.e]+),\s+([-\d.e]+)\s+\]", r"[\1, \2]", text) + "\n"
