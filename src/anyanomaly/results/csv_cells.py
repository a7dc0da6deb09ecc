"""Rows of CSV files. A spreadsheet must not run a text in a cell as a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence

_CELL_START = r"(^|[;\t\r\n])"
"""A cell begins at the start of the text, and after what some spreadsheets take for the end of a cell."""
_HARMLESS = r"[\s\"'`\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\x00-\x1f]*"
_FORMULA = re.compile(_CELL_START + rf"(?='|{_HARMLESS}[=+@\-\u2212\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b])")
_CONTROL = re.compile(r"^(?=[\t\r\n])")
_GUARD = re.compile(_CELL_START + "'")


def csv_text(rows: Iterable[Sequence[str | float | None]]) -> str:
    """Return rows as lines of CSV; None is an empty cell, and texts are guarded by `guard_cell`."""
    lines: list[str] = []
    writer = csv.writer(_LineCollector(lines), lineterminator="\r\n")  # then cells with either character are quoted
    writer.writerows([[guard_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows])
    return "".join(f"{line.removesuffix(chr(13) + chr(10))}\n" for line in lines)


def guard_cell(text: str) -> str:
    """Return a text for a cell: an apostrophe is put before what a spreadsheet would run as a formula.

    So it is before another apostrophe, so that `unguard_cell` returns the same text again.
    """
    return _CONTROL.sub("'", _FORMULA.sub(r"\1'", text))


def unguard_cell(cell: str) -> str:
    """Return the text that `guard_cell` was given."""
    return _GUARD.sub(r"\1", cell)


class _LineCollector:
    """Collects the lines of a writer."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append
