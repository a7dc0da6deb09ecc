"""The list of components. Needs no parser, which is most of what a bare ``anyanomaly plugins`` would cost."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from anyanomaly.cli.call import Call
from anyanomaly.cli.output import print_json, print_table, tell
from anyanomaly.specs import ComponentSpec


def list_components(call: Call, roles: tuple[str, ...], as_json: bool) -> None:
    """Print the components of ``roles``; what is wrong with a plugin goes beside the data."""
    specs = [spec for role in roles for spec in call.registry.specs(role)]
    if as_json:
        problems = [{"plugin": problem.plugin, "message": problem.message} for problem in call.registry.problems]
        print_json({"components": [described(call, spec) for spec in specs], "problems": problems})
        return
    rows = [
        (spec.role, spec.name, call.registry.provider(spec), f"{spec.summary}{_weights(spec)}{_state(call, spec)}")
        for spec in specs
    ]
    if rows:
        print_table(rows)
    for problem in call.registry.problems:
        tell(f"anyanomaly: {problem.message}")


def _weights(spec: ComponentSpec) -> str:
    """Return what a component's weights take and their licence, in brackets; empty when it says neither."""
    said = [text for name in ("memory", "licence") if (text := getattr(spec, name, ""))]
    return f" [{'; '.join(said)}]" if said else ""


def _state(call: Call, spec: ComponentSpec) -> str:
    """Return what stands in the way of a component, in brackets; empty when nothing does."""
    if sum(each.name == spec.name for each in call.registry.specs(spec.role)) > 1:
        return " (in conflict: two plugins offer this name)"
    if lacking := call.registry.missing_requirements(spec):
        return f" (needs {', '.join(lacking)}; run: {call.registry.install_command(spec)})"
    return ""


def described(call: Call, spec: ComponentSpec) -> dict[str, Any]:
    """Return a spec with what is known of it, ready for JSON."""
    told: dict[str, Any] = {"role": spec.role, "provider": call.registry.provider(spec)}
    for each in fields(spec):
        value = getattr(spec, each.name)
        if each.name == "auto":
            value = [asdict(choice) for choice in value]
        told[each.name] = (
            sorted(value) if isinstance(value, frozenset) else list(value) if isinstance(value, tuple) else value
        )
    return {**told, "missing": call.registry.missing_requirements(spec)}
