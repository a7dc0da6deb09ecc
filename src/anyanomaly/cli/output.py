"""Printing: tables, JSON and scores on standard output, messages on standard error."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def print_table(rows: Sequence[Sequence[str]], indent: str = "") -> None:
    """Print rows in aligned columns; all rows have the same number of cells."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(f"{indent}{'  '.join(cells)}".rstrip())


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_message(line: str) -> None:
    """Print a line on standard error, apart from the data."""
    print(line, file=sys.stderr)


def format_score(value: float) -> str:
    """Return a score in [0, 1] as text; NaN is "unreadable"."""
    return "unreadable" if math.isnan(value) else f"{value:.3f}"


def measure_size(path: Path) -> dict[str, Any]:
    """Return the size of a file or folder in MiB, without links and files that disappear while they are counted."""
    n_bytes = path.lstat().st_size if path.is_file() else 0
    for folder, _, names in os.walk(path):
        for name in names:
            file = Path(folder, name)
            if not file.is_symlink() and file.exists():
                n_bytes += file.lstat().st_size
    return {"path": str(path), "exists": path.exists(), "mib": round(n_bytes / 2**20, 1)}
