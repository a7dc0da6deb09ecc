"""Text from outside: answers, messages of servers, plugins and libraries, names of files and models, labels.

It passes through one of these functions before it is printed or stored.

=================== ================================================================================
``terminal_text``   text of several lines for a terminal
``terminal_line``   one line or one table cell for a terminal
``storable_text``   text for a file, a database or another program: valid UTF-8
``json_text``       JSON for both: it is exact, valid UTF-8, and safe on a terminal
=================== ================================================================================
"""

from __future__ import annotations

import json
import re
from typing import Any

from anyanomaly.masking import mask_urls

# Control characters (C0 without line feed and tab, DEL, C1); the line separators of Unicode; characters that reorder
# the text around them, so that a line reads as what it is not; surrogates, which UTF-8 cannot encode.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]")
_UNSAFE_IN_LINE = re.compile(f"{_UNSAFE.pattern}|[\t\n]")


def terminal_text(text: str) -> str:
    r"""Return ``text`` without what a terminal obeys: control, bidi and surrogate characters become escapes (``\x1b``).

    Line feeds and tabs stay. Passwords in addresses are masked.
    """
    return _UNSAFE.sub(_escape, mask_urls(text))


def terminal_line(text: str) -> str:
    r"""Return ``text`` as one line and one cell of a table: as `terminal_text`, with ``\n`` and ``\t`` for the rest."""
    return _UNSAFE_IN_LINE.sub(_escape, mask_urls(text))


def storable_text(text: str) -> str:
    r"""Return ``text`` as it can be encoded in UTF-8: a lone surrogate becomes an escape (``\udc80``)."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def json_text(value: Any, *, indent: int | None = None) -> str:
    r"""Return a value as JSON in which every string is `storable_text`.

    Characters that a terminal obeys, and those at which programs split lines, are written as ``\u....``: a reader of
    JSON gets the exact text.

    :raises ValueError: for NaN and infinity. :raises TypeError: for a value that JSON does not have.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    return _UNSAFE.sub(_escape_in_json, text)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def _escape_in_json(match: re.Match[str]) -> str:
    escape = f"\\u{ord(match[0]):04x}"
    return f"\\{escape}" if "\ud800" <= match[0] <= "\udfff" else escape  # of a surrogate, `storable_text` is stored
