"""A component of a run with its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anyanomaly.api.options import Options
from anyanomaly.config.model import RunConfig
from anyanomaly.masking import mask_urls_in
from anyanomaly.registry import Registry
from anyanomaly.specs import ComponentSpec


@dataclass(frozen=True, slots=True)
class ResolvedComponent:
    """A component of a run, and its options with every default filled in."""

    spec: ComponentSpec
    options: Options
    reason: str = ""  # why `auto` stands for it; empty when the user named it
    gate: str = ""  # the gate that asks it, if it is not the run's own backend

    @property
    def name(self) -> str:
        """Its name, never ``auto``."""
        return self.spec.name

    @property
    def path(self) -> str:
        """The table of its options in a configuration: "backend", "context.key", "gate.backend.options"."""
        role = self.spec.role
        if self.gate:
            return f"gate.{self.gate}.options"
        return f"{role}.{self.name}" if role in ("context", "gate") else role

    @property
    def label(self) -> str:
        """Its role and name for messages: "Backend 'qwen-hf'"."""
        return f"{self.spec.role.capitalize()} '{self.spec.name}'"

    @property
    def settings(self) -> dict[str, Any]:
        """Its name and all its options except secrets, with addresses masked, JSON-ready."""
        return {"name": self.name, **self.option_values} | {"name": self.name}  # an option may be called name too

    @property
    def option_values(self) -> dict[str, Any]:
        """All its options except secrets, with addresses masked, JSON-ready."""
        values: dict[str, Any] = mask_urls_in(self.options.public_values())
        return values


def resolve_component(
    config: RunConfig, registry: Registry, role: str, name: str, options: Mapping[str, Any], *, installed: bool = True
) -> ResolvedComponent:
    """Return a component; its options ``device`` and ``seed`` default to those of the run.

    :param options: those that the user set. :param installed: refuse a component that lacks a requirement.
    :raises UsageError: when it or one of the options does not exist, or a value is invalid.
    :raises MissingRequirement: when it is not installed, or lacks a requirement.
    """
    spec = registry.find(role, name)
    if installed:
        registry.check_requirements(spec)
    fields = registry.options_model(spec).model_fields
    shared = {"device": config.run.device, "seed": config.run.seed}
    defaults = {option: value for option, value in shared.items() if option in fields}
    return ResolvedComponent(spec, registry.check_options(spec, {**defaults, **options}))
