"""The gates of a run, and the backends that they ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from anyanomaly.assemble.resolved_component import ResolvedComponent, resolve_component
from anyanomaly.config.model import RunConfig
from anyanomaly.errors import UsageError
from anyanomaly.kit import ThinkingOptions
from anyanomaly.registry import Registry
from anyanomaly.specs import BackendSpec, GateSpec


def resolve_gates(config: RunConfig, registry: Registry, *, installed: bool = True) -> tuple[ResolvedComponent, ...]:
    """Return the gates in the order of the configuration.

    Where a gate asks a backend, its options hold all public options of the backend, and the scoring that ``auto``
    stands for. Errors as `resolve_component`.
    """
    gates = [
        resolve_component(config, registry, "gate", name, config.gate.get(name, {}), installed=installed)
        for name in config.gates
    ]
    backends = resolve_gate_backends(config, registry, gates, installed=installed)
    return tuple(_fill_in_backend(gate, backends[gate.name]) if gate.name in backends else gate for gate in gates)


def resolve_gate_backends(
    config: RunConfig, registry: Registry, gates: Sequence[ResolvedComponent], *, installed: bool = True
) -> dict[str, ResolvedComponent]:
    """Return the backends that gates ask, by the gate. Errors as `resolve_component`.

    :raises UsageError: also when a gate does not name its backend.
    """
    backends: dict[str, ResolvedComponent] = {}
    for gate in gates:
        if not cast(GateSpec, gate.spec).needs_backend:
            continue
        name = str(getattr(gate.options, "name", ""))
        if name in ("", "auto"):
            raise UsageError(
                f"{gate.label} needs the name of a small backend to ask first. Add --gate.{gate.name}.name NAME; "
                f"`anyanomaly plugins backend` lists them."
            )
        options: Mapping[str, Any] = config.gate.get(gate.name, {}).get("options", {})
        backend = resolve_component(config, registry, "backend", name, options, installed=installed)
        backends[gate.name] = replace(backend, gate=gate.name)
    return backends


def _fill_in_backend(gate: ResolvedComponent, backend: ResolvedComponent) -> ResolvedComponent:
    spec = cast(BackendSpec, backend.spec)
    values: dict[str, Any] = {"options": backend.options.public_values()}
    if getattr(gate.options, "scoring", None) == "auto":
        thinks = isinstance(backend.options, ThinkingOptions) and backend.options.thinking != "off"
        values["scoring"] = "expected" if spec.logprobs and not thinks else "words"
    known = {name: value for name, value in values.items() if name in type(gate.options).model_fields}
    return replace(gate, options=gate.options.model_copy(update=known))
