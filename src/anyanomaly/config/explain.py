"""What pydantic found wrong, in one sentence."""

from __future__ import annotations

from difflib import get_close_matches

from pydantic import BaseModel, ValidationError


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Say the first thing that is wrong: the key, the value, what fits; for an unknown key the nearest known one."""
    first = error.errors()[0]
    loc = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        return _unknown(loc[-1], model, ".".join(loc))
    key, reason = ".".join(loc), first["msg"].removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    if not key:
        return f"{reason}."
    if first["type"] == "value_error":
        return f"{key}: {reason}."
    return f"{key} cannot be {first['input']!r}: {reason}."


def _unknown(key: str, model: type[BaseModel], where: str) -> str:
    known = sorted(model.model_fields)
    near = get_close_matches(key, known, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(known)}."
    return f"There is no setting '{where}'. {hint}"
