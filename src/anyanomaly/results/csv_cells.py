"""Text in the cells of a CSV file, which a spreadsheet must not run as a formula."""

from __future__ import annotations

import re

_CELL_START = r"(^|[;\t\r\n])"
"""A cell begins at the start of the text, and after what some spreadsheets take for the end of a cell."""
_HARMLESS = r"[\s\"'`\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\x00-\x1f]*"
_FORMULA = re.compile(_CELL_START + rf"(?='|{_HARMLESS}[=+@\-\u2212\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b])")
_CONTROL = re.compile(r"^(?=[\t\r\n])")
_GUARD = re.compile(_CELL_START + "'")


def guard_cell(text: str) -> str:
    """Return a text for a cell: an apostrophe is put before what a spreadsheet would run as a formula.

    So it is before another apostrophe, so that `unguard_cell` returns the same text again.
    """
    return _CONTROL.sub("'", _FORMULA.sub(r"\1'", text))


def unguard_cell(cell: str) -> str:
    """Return the text that `guard_cell` was given."""
    return _GUARD.sub(r"\1", cell)
