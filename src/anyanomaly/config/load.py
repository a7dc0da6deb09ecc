"""Merge defaults, preset, config file and flags into the settings of a run, and record the origin of each value.

Each source is a `Layer`; later layers override earlier ones.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from typing import Any, TypeAlias

from anyanomaly.config.model import RunConfig
from anyanomaly.errors import InvalidOption
from anyanomaly.specs import SINGLE_ROLES

Tables: TypeAlias = dict[str, Any]

_SETTINGS_TABLES = ("prompt", "run")
_OVERRIDES = {
    "segment_frames": "segment_seconds",
    "every": "frames_per_second",
    "smooth_seconds": "smooth_frames",
    "name": "per_backend",
}
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
            elif key in ("context", "gate"):
                for name, options in getattr(checked, key).items():
                    merged[key] = {**merged[key], name: {**merged[key].get(name, {}), **options}}
            else:
                merged[key] = checked.model_dump(include={key})[key]
            origins |= {".".join(path): layer.origin for path, _ in setting_values({key: table})}
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


def setting_values(tables: Mapping[str, Any], parents: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and value of each setting: ``("run", "threshold"), 0.5``. A component that is a string is its name."""
    for key, value in tables.items():
        table = _component_table(value) if not parents and key in SINGLE_ROLES else value
        if isinstance(table, Mapping):
            yield from setting_values(table, (*parents, key))
        else:
            yield (*parents, key), table
