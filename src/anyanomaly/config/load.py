"""From presets, a config file and flags to the settings of a run, and where each value came from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from anyanomaly.config.model import RunConfig
from anyanomaly.errors import InvalidOption, UsageError
from anyanomaly.specs import SINGLE_ROLES

FILE_NAME = "anyanomaly.toml"

Tables: TypeAlias = dict[str, Any]

_SETTINGS = ("prompt", "run")
_OVERRULED = {"segment_frames": "segment_seconds", "smooth_seconds": "smooth_frames", "name": "per_backend"}
"""Setting the first takes back the second, which would otherwise have the last word from an earlier layer."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Some settings and where they come from: "preset paper", "file anyanomaly.toml", "flag"."""

    origin: str
    tables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings of a run, and the origin of each that is not a default: "run.threshold" to "flag"."""

    config: RunConfig
    origins: Mapping[str, str]


def resolve(given: Mapping[str, Any]) -> RunConfig:
    """Return the settings of a run from those given, its preset and the defaults; no file is looked for.

    :raises UsageError: for a setting that does not exist or a value that does not fit.
    """
    return merge(with_preset([Layer("given", given)])).config


def user_file() -> Path:
    """Return where the user's own config file may be."""
    from platformdirs import user_config_path

    return user_config_path("anyanomaly") / FILE_NAME


def find_file(named: str | None = None) -> Path | None:
    """Return the config file: ``named``, ``ANYANOMALY_CONFIG``, the working folder's, the user's, or None.

    :raises UsageError: when a file asked for by name does not exist.
    """
    if asked := named or os.environ.get("ANYANOMALY_CONFIG"):
        path = Path(asked)
        if not path.is_file():
            source = "--config" if named else "ANYANOMALY_CONFIG"
            raise UsageError(f"There is no config file {path} ({source}). Write one with: anyanomaly config init")
        return path
    return next((path for path in (Path(FILE_NAME), user_file()) if path.is_file()), None)


def read_file(path: Path) -> Layer:
    """Read a config file.

    :raises UsageError: when it cannot be read, is no TOML, or holds what is no setting.
    """
    tables = read_toml(path, "config file")
    try:
        RunConfig.model_validate(tables)
    except UsageError as error:
        raise type(error)(f"In the config file {path}: {error}") from error
    return Layer(f"file {path}", tables)


def read_toml(path: Path, what: str) -> Tables:
    """Read a TOML file.

    :param what: what it is, for the message. :raises UsageError: when it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The {what} {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidOption(f"The {what} {path} is no valid TOML: {error}.") from error


def preset_names() -> list[str]:
    """Return the names of all presets."""
    names = (each.name for each in (files("anyanomaly") / "presets").iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def with_preset(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers with the preset that the last of them names below them.

    :raises InvalidOption: when there is no such preset.
    """
    named = [layer.tables["preset"] for layer in layers if "preset" in layer.tables]
    name = str(named[-1]) if named else str(RunConfig.model_fields["preset"].default)
    known = preset_names()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise InvalidOption(f"There is no preset '{name}'. {hint}Presets: {', '.join(known)}.")
    content = (files("anyanomaly") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    return [Layer(f"preset {name}", tomllib.loads(content)), *layers]


def merge(layers: Sequence[Layer]) -> Resolved:
    """Lay later layers over earlier ones, key by key.

    A component of another name starts without the options of the one it replaces.

    :raises UsageError: for a setting that does not exist or a value that does not fit.
    """
    merged: Tables = RunConfig().model_dump()
    origins: dict[str, str] = {}
    for layer in layers:
        checked = RunConfig.model_validate(layer.tables)
        for key, table in layer.tables.items():
            if key in SINGLE_ROLES:
                _lay_component(merged[key], _named(table), key, origins)
            elif key in _SETTINGS:
                _lay_settings(merged[key], getattr(checked, key).model_dump(exclude_unset=True), key, origins)
            elif key == "context":
                for name, options in checked.context.items():
                    merged[key] = {**merged[key], name: {**merged[key].get(name, {}), **options}}
            else:
                merged[key] = checked.model_dump(include={key})[key]
            origins |= dict.fromkeys(_leaves(key, table), layer.origin)
    return Resolved(RunConfig.model_validate(merged), origins)


def _lay_settings(under: Tables, given: Tables, key: str, origins: dict[str, str]) -> None:
    """Lay a table of settings over that of an earlier layer, in place."""
    for over, overruled in _OVERRULED.items():
        if over in given and overruled not in given and overruled in under:
            under[overruled] = None
            origins.pop(f"{key}.{overruled}", None)
    under |= given


def _lay_component(under: Tables, given: Mapping[str, Any], key: str, origins: dict[str, str]) -> None:
    """Lay a component's table over that of an earlier layer, in place."""
    any_reader = key == "reader" and under["name"] == "auto"  # its options are for whichever reader an address takes
    if given.get("name", under["name"]) != under["name"] and not any_reader:
        for option in [option for option in under if option != "name"]:
            del under[option]
            origins.pop(f"{key}.{option}", None)
    under |= given


def _named(table: Any) -> Mapping[str, Any]:
    return {"name": table} if isinstance(table, str) else table if isinstance(table, Mapping) else table.model_dump()


def _leaves(key: str, value: Any) -> list[str]:
    """Return the dotted names of the settings in a value."""
    if key in SINGLE_ROLES:
        value = _named(value)
    if not isinstance(value, Mapping):
        return [key]
    return [leaf for name, each in value.items() for leaf in _leaves(f"{key}.{name}", each)]
