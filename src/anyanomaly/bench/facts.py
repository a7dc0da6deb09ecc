"""Published figures, looked up by a path such as ``table_2_c_avenue/action/class=throwing/ksm``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyanomaly.errors import UsageError


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
                self._content = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
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
        return float(value) if isinstance(value, int | float) else None

    def text(self, path: str, replacements: Mapping[str, str]) -> str | None:
        """Return the text or number at a path as text; None: not published."""
        value = self._at(path, replacements)
        return str(value) if isinstance(value, str | int | float) else None

    def _at(self, path: str, replacements: Mapping[str, str]) -> Any:
        node = self._content
        for pattern in path.split("/"):
            step = pattern.format_map(replacements)
            node = _find_entry(node, step) if isinstance(node, list) else _get(node, step)
        return node


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
