"""What is wrong with a component's options, in one sentence."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

    from anyanomaly.api.options import Options
    from anyanomaly.specs import ComponentSpec


def explained(error: ValidationError, spec: ComponentSpec, model: type[Options]) -> str:
    """Say the first thing that does not fit, and what would."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    whose = f"{spec.role.capitalize()} '{spec.name}'"
    if first["type"] == "extra_forbidden":
        known = sorted(model.model_fields)
        near = get_close_matches(name, known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return f"{whose} has no option '{name}'.{hint} It has: {', '.join(known) or 'none'}."
    reason = first["msg"].removeprefix("Value error, ")
    return f"{whose}: its option '{name}' cannot be {first['input']!r}: {reason[:1].lower()}{reason[1:]}."
