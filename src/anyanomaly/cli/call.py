"""One invocation: what must be known of the command line before it can be parsed.

The options of ``run`` depend on the components it names, so the words are looked through once beforehand.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from anyanomaly.registry import Registry, load

_LEVELS = {"-v": logging.INFO, "--verbose": logging.INFO, "-q": logging.ERROR, "--quiet": logging.ERROR}
_WITH_VALUE = {"-p": "plugin", "--plugin": "plugin", "--config": "config"}
GLOBAL = (*_LEVELS, *_WITH_VALUE)


def completing() -> list[str] | None:
    """Return the words on the line when a shell asks for completions, else None."""
    if "_ANYANOMALY_COMPLETE" not in os.environ:
        return None
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
    try:
        return shlex.split(line)[1:]
    except ValueError:  # a quotation that is not closed yet
        return line.split()[1:]


def named(words: Sequence[str], option: str) -> list[str]:
    """Return the values that an option has on the command line."""
    values = []
    for place, word in enumerate(words):
        if word == "--":
            break
        if word == option and place + 1 < len(words):
            values.append(words[place + 1])
        elif word.startswith(f"{option}="):
            values.append(word.partition("=")[2])
    return values


@dataclass(frozen=True)
class Call:
    """A command line, looked through."""

    argv: list[str]
    plugins: tuple[str, ...] = ()
    config_file: str | None = None
    log_level: int = logging.WARNING
    command: str = ""
    words: tuple[str, ...] = ()  # what follows the command
    unfinished: bool = False  # a shell asks for completions: the words may make no sense yet

    @classmethod
    def parse(cls, argv: list[str], unfinished: bool = False) -> Call:
        """Find the global options and the command; what is wrong with them the parser says later."""
        found: dict[str, list[str]] = {"plugin": [], "config": []}
        level, place = logging.WARNING, 0
        while place < len(argv) and argv[place].startswith("-"):
            option, equals, value = argv[place].partition("=")
            if key := _WITH_VALUE.get(option):
                place += not equals
                found[key] += [value] if equals else argv[place : place + 1]
            elif option.startswith("-p"):
                found["plugin"].append(argv[place][2:])
            level = _LEVELS.get(option, level)
            place += 1
        config = found["config"][-1] if found["config"] else None
        command, *words = argv[place:] or [""]
        return cls(argv, tuple(found["plugin"]), config, level, command, tuple(words), unfinished)

    @property
    def quiet(self) -> bool:
        """Whether only errors are to be told."""
        return self.log_level > logging.WARNING

    @property
    def verbose(self) -> bool:
        """Whether more is to be told than usual."""
        return self.log_level < logging.WARNING

    @cached_property
    def registry(self) -> Registry:
        """The components that are there; plugins are loaded at first use."""
        return load(self.plugins)
