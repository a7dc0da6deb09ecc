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

GLOBAL = ("-p", "--plugin", "--config", "-v", "--verbose", "-q", "--quiet")
_WITH_VALUE = {"-p": "plugin", "--plugin": "plugin", "--config": "config"}


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

    @classmethod
    def parse(cls, argv: list[str]) -> Call:
        """Find the global options and the command; what is wrong with them the parser says later."""
        found: dict[str, list[str]] = {"plugin": [], "config": []}
        level = logging.WARNING
        words = iter(enumerate(argv))
        for place, word in words:
            option, equals, value = word.partition("=")
            if key := _WITH_VALUE.get(option):
                found[key].append(value if equals else next(words, (0, ""))[1])
            elif word.startswith("-p") and not word.startswith("--"):
                found["plugin"].append(word[2:])
            elif word in ("-v", "--verbose"):
                level = logging.INFO
            elif word in ("-q", "--quiet"):
                level = logging.ERROR
            elif not word.startswith("-"):
                plugins, config = tuple(found["plugin"]), found["config"]
                return cls(argv, plugins, config[-1] if config else None, level, word, tuple(argv[place + 1 :]))
        return cls(argv, tuple(found["plugin"]), None, level)

    @property
    def quiet(self) -> bool:
        """Whether only errors are to be told."""
        return self.log_level > logging.WARNING

    @cached_property
    def registry(self) -> Registry:
        """The components that are there; plugins are loaded at first use."""
        return load(self.plugins)
