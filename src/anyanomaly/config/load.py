"""Merge defaults, preset, config file and flags into the settings of a run, and record the origin of each value.

Each source is a `Layer`; later layers override earlier ones.
"""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from anyanomaly.config.model import RunConfig
from anyanomaly.errors import InvalidOption, UsageError
from anyanomaly.outside_files import read_bounded
from anyanomaly.specs import SINGLE_ROLES

FILE_NAME = "anyanomaly.toml"

Tables: TypeAlias = dict[str, Any]

_SETTINGS_TABLES = ("prompt", "run")
_OVERRIDES = {"segment_frames": "segment_seconds", "smooth_seconds": "smooth_frames", "name": "per_backend"}
"""Where both are set, the second takes precedence. The first, in a later layer, therefore unsets the second."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings of one origin: "preset paper", "file anyanomaly.toml", "flag"."""

    origin: str
    tables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a run, and the origin of each that is not a default: "run.threshold" to "flag".

    Names are as the user wrote them; `assemble.resolve` replaces ``auto`` and fills in the options of components.
    """

    config: RunConfig
    origins: Mapping[str, str]


def config_from_tables(tables: Mapping[str, Any]) -> RunConfig:
    """Return the configuration of a run in Python: ``tables`` over their preset and the defaults; no file is read.

    :param tables: as in a config file.
    :raises UsageError: when a setting does not exist or its value is not allowed.
    """
    return load_settings([Layer("Python", tables)]).config


def load_settings(layers: Sequence[Layer]) -> Settings:
    """Return the settings of a run: ``layers`` over their preset and the defaults.

    :raises UsageError: when a setting or the preset does not exist, or a value is not allowed.
    """
    return merge_layers(add_preset(layers))


def user_file() -> Path:
    """Return the path of the user's config file, which may not exist."""
    from platformdirs import user_config_path

    return user_config_path("anyanomaly") / FILE_NAME


def find_file(option: str | None = None) -> Path | None:
    """Return the config file or None: ``option``, ``ANYANOMALY_CONFIG``, the working folder's, or the user's.

    :param option: value of ``--config``.
    :raises UsageError: when the file that ``option`` or the variable names does not exist.
    """
    if name := option or os.environ.get("ANYANOMALY_CONFIG"):
        path = Path(name)
        if not path.is_file():
            source = "--config" if option else "ANYANOMALY_CONFIG"
            command = f"anyanomaly config init {shlex.quote(name)}"
            raise UsageError(f"There is no config file {path} ({source}). Write one with: {command}")
        return path
    return next((path for path in (Path(FILE_NAME), user_file()) if path.is_file()), None)


def read_file(path: Path) -> Layer:
    """Read a config file.

    :raises UsageError: when it cannot be read, is not TOML, or has an unknown setting or a value that is not allowed.
    """
    tables = read_toml(path, "config file")
    try:
        RunConfig.model_validate(tables)
    except UsageError as error:
        raise type(error)(f"In the config file {path}: {error}") from error
    return Layer(f"file {path}", tables)


def read_toml(path: Path, kind: str) -> Tables:
    """Read a TOML file.

    :param kind: kind of the file, for messages: "config file".
    :raises UsageError: when it cannot be read. :raises InvalidOption: when it is not TOML.
    """
    try:
        return tomllib.loads(read_bounded(path).decode("utf-8"))
    except OSError as error:
        raise UsageError(f"The {kind} {path} cannot be read: {error.strerror}. Check the path.") from error
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, a number of too many digits, or nested too deep
        raise InvalidOption(f"The {kind} {path} is not valid TOML: {error}. Fix this line.") from error


def preset_names() -> list[str]:
    """Return the names of all presets."""
    names = (file.name for file in (files("anyanomaly") / "presets").iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def add_preset(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers after the layer of their preset: the last one that they name, or the default preset.

    :raises InvalidOption: when there is no such preset.
    """
    requests = [layer.tables["preset"] for layer in layers if "preset" in layer.tables]
    name = str(requests[-1]) if requests else str(RunConfig.model_fields["preset"].default)
    names = preset_names()
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise InvalidOption(f"There is no preset '{name}'. {hint}Presets: {', '.join(names)}.")
    return [Layer(f"preset {name}", read_preset(name)), *layers]


def read_preset(name: str) -> Tables:
    """Return the settings of a preset."""
    return tomllib.loads((files("anyanomaly") / "presets" / f"{name}.toml").read_text(encoding="utf-8"))


def merge_layers(layers: Sequence[Layer]) -> Settings:
    """Merge layers setting by setting, later ones over earlier ones and all over the defaults.

    Where a layer names another component, the options of the earlier component are dropped.

    :raises UsageError: when a setting does not exist or its value is not allowed.
    """
    merged: Tables = RunConfig().model_dump()
    origins: dict[str, str] = {}
    for layer in layers:
        checked = RunConfig.model_validate(layer.tables)
        for key, table in layer.tables.items():
            if key in SINGLE_ROLES:
                _merge_component(merged[key], _component_table(table), key, origins)
            elif key in _SETTINGS_TABLES:
                _merge_settings(merged[key], getattr(checked, key).model_dump(exclude_unset=True), key, origins)
            elif key == "context":
                for name, options in checked.context.items():
                    merged[key] = {**merged[key], name: {**merged[key].get(name, {}), **options}}
            else:
                merged[key] = checked.model_dump(include={key})[key]
            origins |= dict.fromkeys(_setting_names(key, table), layer.origin)
    return Settings(RunConfig.model_validate(merged), origins)


def _merge_settings(merged: Tables, table: Tables, key: str, origins: dict[str, str]) -> None:
    """Merge a later layer's table of settings into ``merged``, in place."""
    for setting, override in _OVERRIDES.items():
        if setting in table and override not in table and override in merged:
            merged[override] = None
            origins.pop(f"{key}.{override}", None)
    merged |= table


def _merge_component(merged: Tables, table: Mapping[str, Any], key: str, origins: dict[str, str]) -> None:
    """Merge a later layer's table of a component into ``merged``, in place."""
    is_any_reader = key == "reader" and merged["name"] == "auto"  # its options apply to the reader of each URI
    if table.get("name", merged["name"]) != merged["name"] and not is_any_reader:
        # the device of a table without a name is for any component; its other options are for one
        is_unnamed = merged["name"] == "auto" or f"{key}.name" not in origins
        stays = {"name", "device"} if is_unnamed else {"name"}
        for option in [option for option in merged if option not in stays]:
            del merged[option]
            origins.pop(f"{key}.{option}", None)
    merged |= table


def _component_table(value: Any) -> Mapping[str, Any]:
    """Return a component as a table: users may write a name, a table or a ``ComponentChoice``."""
    return {"name": value} if isinstance(value, str) else value if isinstance(value, Mapping) else value.model_dump()


def _setting_names(key: str, value: Any) -> list[str]:
    """Return the dotted names of the settings in a value."""
    if key in SINGLE_ROLES:
        value = _component_table(value)
    if not isinstance(value, Mapping):
        return [key]
    return [setting for name, item in value.items() for setting in _setting_names(f"{key}.{name}", item)]
