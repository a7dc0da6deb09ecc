"""Objects of JSON and its relatives in an answer, as lines "name: value"."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from anyanomaly.core.answer_words import LABELS, REASON_KEYS

_TOKEN: Final = re.compile(
    r"(?P<skip>//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|\s++)|(?P<mark>[{}\[\]:,])|(?P<quote>[\"'])"
    r"|(?P<word>[^\s{}\[\]:,\"'/]++|/)"
)
_LABEL: Final = re.compile(LABELS)
_REASON: Final = re.compile(REASON_KEYS)
_STRING_STOP: Final = {quote: re.compile(rf"\\.|{quote}(?=\s*+(?:[,:}}\]]|$))|\Z", re.DOTALL) for quote in "\"'"}
_DECIMALS: Final = re.compile(r"(?<=\d),\d+(?!\s*:)")  # of a number with a decimal comma, where a field would follow
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_MAX_NAME: Final = 80  # characters of a path of names


@dataclass(slots=True)
class _Reader:
    """Reads one object, token by token."""

    lines: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    containers: list[tuple[str, str]] = field(default_factory=list)  # bracket and name of those that are open
    name: str = ""
    words: list[str] = field(default_factory=list)
    is_string: bool = False
    has_fields: bool = False

    def read(self, text: str, position: int) -> int:
        """Read the object that starts at a position, and return the position behind it."""
        while match := _TOKEN.match(text, position):
            position = match.end()
            if match.lastgroup == "quote":
                stop = _STRING_STOP[match[0]]
                end = next(end for end in stop.finditer(text, position) if not end[0].startswith("\\"))
                if text[end.end() : end.end() + 9].lstrip().startswith(":"):
                    self._end_value()  # the comma before this name is missing
                self.words, self.is_string = [text[position : end.start()]], True
                position = end.end()
            elif match.lastgroup == "word":
                decimals = _DECIMALS.match(text, position) if self.name and self.containers[-1][0] == "{" else None
                position = decimals.end() if decimals else position
                self.words.append(text[match.start() : position])
            elif match.lastgroup == "mark":
                self._mark(match[0])
                if not self.containers:
                    break
        if self.words in (["0"], ["0."]) and self.containers:  # 0.8 may have been cut off
            self.words, self.has_fields = [], True
        self._end_value()
        return position

    def _mark(self, mark: str) -> None:
        if mark == ":":
            name = _ESCAPE.sub(_unescape, " ".join(self.words[-8:]))
            self.name, self.words, self.is_string = name[-_MAX_NAME:], [], False
            return
        if mark in "{[":
            self.containers.append((mark, self.name))
            self.words = []
        else:
            self._end_value()
        if mark in "}]":
            self.containers.pop()
        if self.containers:
            bracket, name = self.containers[-1]
            self.name = name if bracket == "[" else ""

    def _end_value(self) -> None:
        value = _ESCAPE.sub(_unescape, " ".join(self.words))
        is_string, self.words, self.is_string = self.is_string, [], False
        if not (value and self.name):
            return
        self.has_fields = True
        own_name = self.name.lower()
        if _REASON.search(own_name):
            self.reasons.append(value)
        elif (
            _LABEL.search(own_name)
            or value.lower() in ("true", "false", "yes", "no")
            or (not is_string and any(char.isdigit() for char in value))
        ):
            names = [name for _, name in self.containers[-3:] if name and name != self.name]
            path = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", " ".join([*names, self.name]))
            self.lines.append(f"{path[-_MAX_NAME:]}: {value}")


def fields_as_lines(text: str) -> str:
    """Return a text in which each object is replaced by its fields, one "path of names: value" per line.

    Objects may be JSON, JSON5 or Python, and may end too early. Strings stay only where their name is that of a score:
    other strings may speak of any number. Text without objects is returned as it is.
    """
    return _replace_objects(text, lambda reader: "\n".join(["", *reader.lines, ""]) if reader.has_fields else None)


def reasons_in_fields(text: str) -> str:
    """Return a text in which each object is replaced by its fields that are called reason or the like."""
    return _replace_objects(text, lambda reader: "\n".join(reader.reasons) if reader.has_fields else None)


def _replace_objects(text: str, replacement: Callable[[_Reader], str | None]) -> str:
    pieces: list[str] = []
    position = 0
    while (start := text.find("{", position)) >= 0:
        reader = _Reader()
        stop = reader.read(text, start)
        new = replacement(reader)
        pieces += text[position:start], text[start:stop] if new is None else new
        position = stop
    return "".join([*pieces, text[position:]])


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    return " " if match[2] in "nrt" else match[2]
