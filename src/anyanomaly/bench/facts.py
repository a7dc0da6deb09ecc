"""Published figures, looked up by a path such as ``table_2_c_avenue/action/class=throwing/ksm``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyanomaly.errors import UsageError


class Facts:
    """A file of published figures."""

    def __init__(self, path: Path | None) -> None:
        """:raises UsageError: when it cannot be read."""
        self._path = path
        self._content: Any = {}
        if path is not None:
            try:
                self._content = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise UsageError(f"The published figures {path} cannot be read: {error}.") from error

    @property
    def source(self) -> str:
        """Where the figures are from."""
        return str(self._content.get("source", ""))

    def figure(self, path: str, words: Mapping[str, str]) -> float | None:
        """Return the figure at a path, after ``words`` took the place of ``{name}`` in it; None: not published.

        A step is a key, or ``key=value,key=value`` for the entry of a list that has these. Case does not matter, and
        neither does an underscore in place of a blank.
        """
        place = self._content
        for step in path.split("/"):
            step = step.format_map(words)
            place = _entry(place, step) if isinstance(place, list) else _value(place, step)
        return float(place) if isinstance(place, int | float) else None


def _value(place: Any, key: str) -> Any:
    if not isinstance(place, Mapping):
        return None
    return next((value for name, value in place.items() if _same(name, key)), None)


def _entry(entries: list[Any], step: str) -> Any:
    wanted = [pair.partition("=") for pair in step.split(",")]
    for entry in entries:
        if all(_same(_value(entry, key), value) for key, _, value in wanted):
            return entry
    return None


def _same(found: Any, word: str) -> bool:
    return str(found).casefold().replace("_", " ") == word.casefold().replace("_", " ")
