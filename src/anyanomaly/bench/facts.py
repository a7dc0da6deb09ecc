"""Published figures, looked up by a path such as ``table_2_c_avenue/action/class=throwing/ksm``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyanomaly.errors import UsageError
from anyanomaly.outside_files import read_bounded

MAX_FIGURE = 1e15
"""Larger numbers are no figures; integers of hundreds of digits are no floats either."""

_SLOT = re.compile(r"\{(\w+)\}")


class Facts:
    """A file of published figures.

    A step of a path is a key, or ``key=value,key=value`` for the entry of a list that has these values. Case does not
    matter, nor whether words are separated by blanks or underscores.
    """

    def __init__(self, path: Path | None) -> None:
        """:raises UsageError: when the file cannot be read."""
        self._content: Any = {}
        if path is not None:
            try:
                self._content = json.loads(read_bounded(path))
            except (OSError, ValueError, RecursionError) as error:
                raise UsageError(
                    f"The published figures {path} cannot be read: {error}. Correct `facts` in the recipe."
                ) from error

    @property
    def source(self) -> str:
        """The publication that the figures are from."""
        return str(self._content.get("source", ""))

    def figure(self, path: str, replacements: Mapping[str, str]) -> float | None:
        """Return the number at a path, with ``replacements`` for each ``{name}`` in it; None: not published."""
        value = self._at(path, replacements)
        return float(value) if isinstance(value, int | float) and abs(value) < MAX_FIGURE else None

    def text(self, path: str, replacements: Mapping[str, str]) -> str | None:
        """Return the text or number at a path as text; None: not published."""
        value = self._at(path, replacements)
        return str(value) if isinstance(value, str | int | float) else None

    def _at(self, path: str, replacements: Mapping[str, str]) -> Any:
        node = self._content
        for pattern in path.split("/"):
            step = fill_slots(pattern, replacements)
            node = _find_entry(node, step) if isinstance(node, list) else _get(node, step)
        return node


def fill_slots(pattern: str, replacements: Mapping[str, str]) -> str:
    """Return a pattern of a recipe with the replacement of each ``{name}``; format specifications are no slots.

    :raises UsageError: for a name without a replacement.
    """

    def replacement(slot: re.Match[str]) -> str:
        if slot[1] not in replacements:
            raise UsageError(f"The recipe's '{pattern}' has the slot {slot[0]}; slots are {', '.join(replacements)}.")
        return replacements[slot[1]]

    return _SLOT.sub(replacement, pattern)


def _get(node: Any, key: str) -> Any:
    if not isinstance(node, Mapping):
        return None
    return next((value for name, value in node.items() if same_words(name, key)), None)


def _find_entry(entries: list[Any], step: str) -> Any:
    conditions = [condition.partition("=") for condition in step.split(",")]
    for entry in entries:
        if all(same_words(_get(entry, key), value) for key, _, value in conditions):
            return entry
    return None


def same_words(value: Any, text: str) -> bool:
    """Return whether a value equals a text, ignoring case, and blanks or underscores between words."""
    return str(value).casefold().replace("_", " ") == text.casefold().replace("_", " ")
