"""The list of components. This module does not import Typer, which takes longer than the list itself."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from anyanomaly.cli.call import Call
from anyanomaly.cli.output import print_json, print_message, print_table
from anyanomaly.specs import ComponentSpec


def list_components(call: Call, roles: tuple[str, ...], as_json: bool) -> None:
    """Print the components of ``roles``; problems of plugins go to standard error, or into the JSON.

    :raises PluginLoadError: when a plugin of the command line fails.
    """
    specs = [spec for role in roles for spec in call.registry.specs(role)]
    if as_json:
        problems = [{"plugin": problem.plugin, "message": problem.message} for problem in call.registry.problems]
        print_json({"components": [describe_spec(call, spec) for spec in specs], "problems": problems})
        return
    rows = [
        (
            spec.role,
            spec.name,
            call.registry.provider(spec),
            f"{spec.summary}{_weights_note(spec)}{_problem_note(call, spec)}",
        )
        for spec in specs
    ]
    if rows:
        print_table(rows)
    for problem in call.registry.problems:
        print_message(f"anyanomaly: {problem.message}")


def _weights_note(spec: ComponentSpec) -> str:
    """Return memory and licence of a component's weights, in brackets; empty when it declares neither."""
    notes = [note for name in ("memory", "licence") if (note := getattr(spec, name, ""))]
    return f" [{'; '.join(notes)}]" if notes else ""


def _problem_note(call: Call, spec: ComponentSpec) -> str:
    """Return why a component cannot be used, in brackets; empty when it can."""
    names = [component.name for component in call.registry.specs(spec.role)]
    if names.count(spec.name) > 1:
        return " (in conflict: two plugins offer this name)"
    if missing := call.registry.missing_requirements(spec):
        return f" (needs {', '.join(missing)}; run: {call.registry.install_command(spec)})"
    return ""


def describe_spec(call: Call, spec: ComponentSpec) -> dict[str, Any]:
    """Return the fields of a spec, its provider and its missing requirements, JSON-ready."""
    description: dict[str, Any] = {"role": spec.role, "provider": call.registry.provider(spec)}
    for field in fields(spec):
        value = getattr(spec, field.name)
        if field.name == "auto":
            value = [asdict(choice) for choice in value]
        description[field.name] = (
            sorted(value) if isinstance(value, frozenset) else list(value) if isinstance(value, tuple) else value
        )
    return {**description, "missing": call.registry.missing_requirements(spec)}
