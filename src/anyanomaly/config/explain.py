"""Validation errors of pydantic as one sentence for the user."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from reprlib import Repr

from pydantic import BaseModel, ValidationError

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 100

_SHAPES = {"model_type": "a table", "dict_type": "a table", "mapping_type": "a table", "tuple_type": "a list"}


def explain(error: ValidationError, model: type[BaseModel], table: str = "") -> str:
    """Return a sentence on the most informative error: its setting, the value and what is allowed.

    :param model: the model that was validated. :param table: its name in a config file, a prefix of the setting's name.
    """
    details = error.errors()
    unknown = (detail for detail in details if detail["type"] == "extra_forbidden")
    first = next(unknown, details[0])  # a misspelt setting often causes the other errors
    loc = [str(part)[:100] for part in first["loc"]]
    key = ".".join([table, *loc] if table else loc)
    if first["type"] == "extra_forbidden":
        return unknown_setting(key, sorted(model.model_fields))
    if first["type"] == "missing":
        return f"'{key}' is missing. Add it."
    reason = first["msg"].removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    if first["type"] == "value_error":
        return f"{key}: {reason}." if key else f"{reason}."
    if shape := _SHAPES.get(first["type"]):
        reason = f"it must be {shape}"
    return f"{key or 'The settings'} cannot be {_SHORT.repr(first['input'])}: {reason}."


def unknown_setting(key: str, names: Sequence[str]) -> str:
    """Return a sentence that there is no setting ``key``, with the most similar of ``names``, or all of them."""
    near = get_close_matches(key.rpartition(".")[2], names, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Settings: {', '.join(names)}."
    return f"There is no setting '{key}'. {hint}"
