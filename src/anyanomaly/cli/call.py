"""One call of the command line: the parts that are needed before it can be parsed.

Which flags ``run`` has depends on the components that its arguments name. Before Typer parses the arguments, they are
therefore scanned: by `Call.parse` for global options and the command, by `option_values` for single options.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from anyanomaly.registry import Registry, load

_LEVELS = {"-v": logging.INFO, "--verbose": logging.INFO, "-q": logging.ERROR, "--quiet": logging.ERROR}
_VALUE_OPTIONS = {"-p": "plugin", "--plugin": "plugin", "--config": "config"}
GLOBAL_OPTIONS = (*_LEVELS, *_VALUE_OPTIONS)

FlagValues: TypeAlias = Mapping[tuple[str, ...], Any]
"""Values of the flags on the command line, by their path in the tables of a config file."""


def completion_arguments() -> list[str] | None:
    """Return the arguments on the line to complete when a shell asks for completions; None in a normal call."""
    if "_ANYANOMALY_COMPLETE" not in os.environ:
        return None
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
    try:
        return shlex.split(line)[1:]
    except ValueError:  # an unclosed quotation mark
        return line.split()[1:]


def option_values(arguments: Sequence[str], option: str) -> list[str]:
    """Return the values of an option, in order; none when it is not among the arguments."""
    values = []
    for position, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == option and position + 1 < len(arguments):
            values.append(arguments[position + 1])
        elif argument.startswith(f"{option}="):
            values.append(argument.partition("=")[2])
    return values


@dataclass(frozen=True)
class Call:
    """A command line, split into global options, command and arguments, and the registry that it uses."""

    argv: list[str]
    plugins: tuple[str, ...] = ()
    config_file: str | None = None
    log_level: int = logging.WARNING
    command: str = ""
    arguments: tuple[str, ...] = ()  # after the command
    is_completion: bool = False  # a shell asks for completions: the arguments may be incomplete

    @classmethod
    def parse(cls, argv: list[str], is_completion: bool = False) -> Call:
        """Return the call for ``argv``. Wrong arguments are ignored here; Typer reports them later."""
        values: dict[str, list[str]] = {"plugin": [], "config": []}
        level, position = logging.WARNING, 0
        while position < len(argv) and argv[position].startswith("-"):
            option, equals, value = argv[position].partition("=")
            if key := _VALUE_OPTIONS.get(option):
                position += not equals
                values[key] += [value] if equals else argv[position : position + 1]
            elif option.startswith("-p"):
                values["plugin"].append(argv[position][2:])
            level = _LEVELS.get(option, level)
            position += 1
        config = values["config"][-1] if values["config"] else None
        command, *arguments = argv[position:] or [""]
        return cls(argv, tuple(values["plugin"]), config, level, command, tuple(arguments), is_completion)

    @property
    def quiet(self) -> bool:
        """Whether only errors are printed on standard error."""
        return self.log_level > logging.WARNING

    @property
    def verbose(self) -> bool:
        """Whether progress and speed are printed in detail."""
        return self.log_level < logging.WARNING

    @cached_property
    def registry(self) -> Registry:
        """The components of all plugins, which are loaded at first use.

        :raises PluginLoadError: when a plugin of the command line fails.
        """
        return load(self.plugins)
