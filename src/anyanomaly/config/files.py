"""Config files: which one is read, and what is read from it."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyanomaly.config.load import Layer, Tables
from anyanomaly.config.model import RunConfig
from anyanomaly.config.trust import guarded_settings, trust_state
from anyanomaly.errors import InvalidOption, UsageError
from anyanomaly.outside_files import read_bounded
from anyanomaly.outside_text import terminal_text
from anyanomaly.registry import Registry

FILE_NAME = "anyanomaly.toml"

_MAX_BYTES = 1 << 18
_MAX_DOTS = 200  # of a line; the parser needs hours for a name of 500,000 parts
_MAX_DEPTH = 16  # of tables and lists in each other; a config file needs 3
_MAX_NAMES = 5  # of settings in a message


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A config file that a command reads."""

    path: Path
    is_named: bool  # by the user; else it was found in the current folder, and may be a stranger's


def user_file() -> Path:
    """Return the path of the user's config file, which may not exist."""
    from platformdirs import user_config_path

    return user_config_path("anyanomaly") / FILE_NAME


def find_file(option: str | None = None) -> ConfigFile | None:
    """Return the config file or None: ``option``, ``ANYANOMALY_CONFIG``, the current folder's, or the user's.

    What has the name in the current folder is the config file, even where it cannot be read.

    :param option: value of ``--config``.
    :raises UsageError: when the file that ``option`` or the variable names does not exist.
    """
    if name := option or os.environ.get("ANYANOMALY_CONFIG"):
        path = Path(name)
        if not path.is_file():
            source = "--config" if option else "ANYANOMALY_CONFIG"
            command = f"anyanomaly config init {shlex.quote(name)}"
            raise UsageError(f"There is no config file {path} ({source}). Write one with: {command}")
        return ConfigFile(path, is_named=True)
    own, local = user_file(), Path(FILE_NAME)
    if os.path.lexists(local) and os.path.abspath(local) != str(own):
        return ConfigFile(local, is_named=False)
    return ConfigFile(own, is_named=True) if own.is_file() else None


def read_file(file: ConfigFile, registry: Registry) -> Layer:
    """Read a config file.

    :param registry: says which components send images to a server.
    :raises UsageError: when it cannot be read, is not TOML, or has an unknown setting or a value that is not allowed;
        and for a file in the current folder with settings that count only once the user has accepted its content.
    """
    content = read_bytes(file.path, "config file")
    tables = parse_settings(content, file.path)
    if not file.is_named and (guarded := guarded_settings(tables, registry)):
        state = trust_state(file.path, content)
        if state != "trusted":
            reason = "it has changed since you accepted it" if state == "changed" else "you have not accepted it"
            raise UsageError(
                f"{FILE_NAME} in the current folder sets {describe_settings(guarded)}. Such settings can run code, "
                f"send data, or read and write files, and {reason}. Read the file; if you trust it, run: "
                f"anyanomaly config trust"
            )
    return Layer(f"file {file.path}", tables)


def parse_settings(content: bytes, path: Path) -> Tables:
    """Return the settings in the content of a config file.

    :raises UsageError: when it is not TOML, or has an unknown setting or a value that is not allowed.
    """
    tables = _parse(content, path, "config file")
    try:
        RunConfig.model_validate(tables)
    except UsageError as error:
        raise type(error)(f"In the config file {path}: {error}") from error
    return tables


def describe_settings(names: Iterable[str]) -> str:
    """Return the names of settings for a message, at most five of them."""
    texts = [terminal_text(name[:60]) for name in names]
    more = f" and {len(texts) - _MAX_NAMES} more" if len(texts) > _MAX_NAMES else ""
    return f"{', '.join(texts[:_MAX_NAMES])}{more}"


def read_toml(path: Path, kind: str) -> Tables:
    """Read a TOML file.

    :param kind: kind of the file, for messages: "config file".
    :raises UsageError: when it cannot be read. :raises InvalidOption: when it is not TOML.
    """
    return _parse(read_bytes(path, kind), path, kind)


def read_bytes(path: Path, kind: str) -> bytes:
    """Return the content of a file of settings, at most 256 KiB.

    :raises UsageError: when it is no regular file, cannot be read, or is larger.
    """
    try:
        return read_bounded(path, _MAX_BYTES)
    except OSError as error:
        raise UsageError(f"The {kind} {path} cannot be read: {error.strerror}. Check the path.") from error


def _parse(content: bytes, path: Path, kind: str) -> Tables:
    """:raises InvalidOption: when ``content`` is not TOML, or needs too much time or depth to parse."""
    if max(line.count(b".") for line in content.split(b"\n")) > _MAX_DOTS:
        raise InvalidOption(f"The {kind} {path} has a line with more than {_MAX_DOTS} dots. Shorten it.")
    try:
        tables = tomllib.loads(content.decode("utf-8"))
    except RecursionError:
        tables = None
    except ValueError as error:  # of the decoder and of the parser, which may also quote a number that is too long
        raise InvalidOption(f"The {kind} {path} is not valid TOML: {error}. Fix this line.") from error
    if tables is None or _is_deep(tables):
        raise InvalidOption(f"The {kind} {path} has more than {_MAX_DEPTH} tables or lists in each other. Remove them.")
    return tables


def _is_deep(tables: Tables) -> bool:
    level: list[Any] = [tables]
    for _ in range(_MAX_DEPTH):
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, dict) else value)
            if isinstance(item, dict | list)
        ]
    return bool(level)
