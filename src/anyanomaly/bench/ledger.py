"""Finished cells on disk, a file each: what is there is not run again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyanomaly.api.safe_file import SafeFile
from anyanomaly.bench.cells import Cell
from anyanomaly.errors import OutputError


class Ledger:
    """The folder of a bench."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self) -> None:
        """:raises OutputError: when the folder cannot be written to."""
        SafeFile(str(self._path("check"))).check()

    def get(self, cell: Cell) -> dict[str, Any] | None:
        """Return the result of a cell; None when it is not there, or of another configuration or version."""
        try:
            found: dict[str, Any] = json.loads(self._path(cell.file).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # ValueError: not of ours; it is written anew
            return None
        return found if isinstance(found, dict) and found.get("key") == cell.key else None

    def put(self, cell: Cell, result: Mapping[str, Any]) -> None:
        """Keep the result of a cell.

        :raises OutputError: when it cannot be written.
        """
        write_text(self._path(cell.file), to_json({"key": cell.key, "label": cell.label, **result}))

    def log(self, cell: Cell) -> Path:
        """Make the file that takes what the process that runs a cell has to say.

        :raises OutputError: when it cannot be written.
        """
        path = self._path(cell.file).with_suffix(".log")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        except OSError as error:
            raise OutputError(f"Cannot write {path}: {error.strerror}.") from error
        return path

    def _path(self, name: str) -> Path:
        return self.folder / "cells" / f"{name}.json"


def write_text(path: Path, text: str) -> None:
    """Write a file whole, or leave what was there.

    :raises OutputError: when it cannot be written.
    """
    file = SafeFile(str(path))
    file.check()
    file.write(text)
    file.close()


def to_json(value: Any) -> str:
    """Return a value as JSON for people, short lists of numbers on one line."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1)
    return re.sub(r"\[\s+([-\d.e]+),\s+([-\d.e]+)\s+\]", r"[\1, \2]", text) + "\n"
