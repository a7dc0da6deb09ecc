"""Settings as TOML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from anyanomaly.config.model import RunConfig
from anyanomaly.masking import mask_urls_in
from anyanomaly.outside_text import json_text, terminal_line


def to_toml(config: RunConfig, origins: Mapping[str, str]) -> str:
    """Return the settings as a config file without secrets, each with a comment on the origin of its value.

    Settings without a value are omitted: TOML has no null.

    :param origins: origin by the dotted name of a setting: "run.threshold" to "flag".
    """
    tables = mask_urls_in(config.model_dump())
    sinks: list[Mapping[str, Any]] = tables.pop("sink")
    blocks = [_lines({key: value for key, value in tables.items() if not isinstance(value, dict)}, "", origins)]
    contexts = tables.pop("context")
    for name, table in tables.items():
        if isinstance(table, dict):
            blocks.append([f"[{name}]", *_lines(table, f"{name}.", origins)])
    for name, table in contexts.items():
        blocks.append([f"[context.{toml_key(name)}]", *_lines(table, f"context.{name}.", origins)])
    origin = origins.get("sink", "")
    blocks += [
        [f"[[sink]]  # {terminal_line(origin)}" if origin else "[[sink]]", *_lines(sink, None, origins)]
        for sink in sinks
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def toml_value(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | Path):
        return json_text(str(value))  # its escapes are those of TOML
    if isinstance(value, Mapping):
        pairs = (f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items() if item is not None)
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, Set):
        value = sorted(value, key=repr)
    if isinstance(value, Sequence):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return str(value)


def toml_key(key: str) -> str:
    """Return a key, in quotation marks where TOML requires them."""
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else toml_value(key)


def _lines(table: Mapping[str, Any], prefix: str | None, origins: Mapping[str, str]) -> list[str]:
    """Return the lines of a table.

    :param prefix: dotted name of the table with a dot behind it; None: there are no origins per key.
    """
    lines = []
    for key, value in table.items():
        if value is None:
            continue
        line = f"{toml_key(key)} = {toml_value(value)}"
        comment = "" if prefix is None else f"  # {terminal_line(origins.get(f'{prefix}{key}', 'default'))}"
        lines.append(line + comment)
    return lines
