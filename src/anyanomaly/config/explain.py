"""What pydantic found wrong, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError

_SHAPES = {"model_type": "a table", "dict_type": "a table", "mapping_type": "a table", "tuple_type": "a list"}


def explain(error: ValidationError, model: type[BaseModel], table: str = "") -> str:
    """Say the first thing that is wrong: the key, the value, what fits; for an unknown key the nearest known one."""
    found = error.errors()
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])  # it may explain the others
    loc = [str(part) for part in first["loc"]]
    key = ".".join([table, *loc] if table else loc)
    if first["type"] == "extra_forbidden":
        return unknown_setting(key, sorted(model.model_fields))
    if first["type"] == "missing":
        return f"'{key}' is missing."
    reason = first["msg"].removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    if first["type"] == "value_error":
        return f"{key}: {reason}." if key else f"{reason}."
    if shape := _SHAPES.get(first["type"]):
        reason = f"it must be {shape}"
    return f"{key or 'The settings'} cannot be {first['input']!r}: {reason}."


def unknown_setting(key: str, known: Sequence[str]) -> str:
    """Say that there is no setting ``key``, and which of the known ones comes nearest."""
    near = get_close_matches(key.rpartition(".")[2], known, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(known)}."
    return f"There is no setting '{key}'. {hint}"
