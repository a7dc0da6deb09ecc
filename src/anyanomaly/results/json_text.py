"""Values as JSON, for files and for other programs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from anyanomaly.outside_text import storable_text

_LINE_ENDS = re.compile(r"[\x85\u2028\u2029]")
"""Characters that some programs take for the end of a line, and JSON leaves as they are."""


def to_json(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON that every reader accepts: one line without ``indent``, no lone surrogates, no NaN.

    :raises ValueError: for a number that is infinite or NaN.
    """
    text = json.dumps(_storable(value), ensure_ascii=False, allow_nan=False, indent=indent)
    return _LINE_ENDS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _storable(value: Any) -> Any:
    """Return a JSON-ready value whose texts can be encoded."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, Mapping):
        return {_storable(key): _storable(entry) for key, entry in value.items()}
    return [_storable(entry) for entry in value] if isinstance(value, list | tuple) else value
