"""Resolve a configuration to a run: every name, option and default is decided here, once.

``run``, ``show``, ``eval``, ``bench``, ``config show``, ``doctor``, the flags in ``--help`` and the header of result
files all read what these functions return. Nothing here imports an engine or loads a model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from anyanomaly.api.downloads import Download
from anyanomaly.api.safe_file import check_distinct
from anyanomaly.assemble.resolve_gates import resolve_gate_backends, resolve_gates
from anyanomaly.assemble.resolved_component import ResolvedComponent, resolve_component
from anyanomaly.assemble.run_settings import run_settings
from anyanomaly.assemble.scoring import decide_scoring
from anyanomaly.assemble.video_ids import check_unique_uris
from anyanomaly.config.explain import unknown_setting
from anyanomaly.config.load import read_preset
from anyanomaly.config.model import ComponentChoice, RunConfig
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.engine.settings import RunSettings
from anyanomaly.errors import InvalidOption, MissingRequirement, PluginLoadError
from anyanomaly.registry import Registry
from anyanomaly.registry.auto import choose_backend


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRun:
    """A run with every choice made. Components are in the order of the roles."""

    config: RunConfig  # with the scoring that `auto` stands for; otherwise as it was before it was resolved
    readers: Mapping[str, ResolvedComponent]  # by the URI of the video
    encoder: ResolvedComponent | None  # None: no component of the run needs one
    gates: tuple[ResolvedComponent, ...]
    gate_backends: Mapping[str, ResolvedComponent]  # by gate: the backend that it asks
    selector: ResolvedComponent
    contexts: tuple[ResolvedComponent, ...]
    backend: ResolvedComponent
    sinks: tuple[ResolvedComponent, ...]
    settings: RunSettings  # texts, prompts, weights, scoring, smoothing, threshold

    @property
    def models(self) -> tuple[ResolvedComponent, ...]:
        """The components that see images of a video: encoder, gates, selector, contexts, backend."""
        encoder = [self.encoder] if self.encoder else []
        return (*encoder, *self.gates, self.selector, *self.contexts, self.backend)

    @property
    def downloads(self) -> tuple[tuple[ResolvedComponent, Download], ...]:
        """The weights that components download when they are not on this machine, each with its component."""
        components = (*self.models, *self.gate_backends.values())
        return tuple((component, download) for component in components for download in component.options.downloads())

    def header(self, registry: Registry) -> dict[str, Any]:
        """Describe the run for result files, JSON-ready: every setting, the prompts, the versions of all packages.

        ``config`` has the structure of a configuration file.
        """
        readers = {component.name: component.settings for component in self.readers.values()}
        components = (*self.readers.values(), *self.models, *self.gate_backends.values(), *self.sinks)
        specs = [component.spec for component in components]
        reason = self.settings.reason
        return {
            "config": fill_in(self.config, self.models).model_dump(mode="json", exclude={"sink"}),
            "readers": list(readers.values()),
            "prompt": _describe_prompt(self.settings.template),
            "reason_prompt": _describe_prompt(reason.template) if reason else None,
            "versions": registry.versions(specs),
        }


def resolve_run(config: RunConfig, registry: Registry) -> ResolvedRun:
    """Return the run that a configuration stands for.

    :raises UsageError: for a component, an option or a prompt that does not exist or is invalid, and for a video or a
        result file that is named twice.
    :raises MissingRequirement: when something that a component requires is not installed.
    """
    check_unique_uris(config.videos)
    for role in ("context", "gate"):  # a table may be of one that is not in use, not of one that does not exist
        for name in getattr(config, role):
            registry.find(role, name)
    gates = resolve_gates(config, registry)
    gate_backends = resolve_gate_backends(config, registry, gates)
    selector = resolve_named(config, registry, "selector")
    contexts = resolve_contexts(config, registry)
    backend = resolve_backend(config, registry)
    config = decide_scoring(config, backend)
    needs_encoder = _need_encoder([*gates, *gate_backends.values(), selector, *contexts, backend])
    return ResolvedRun(
        config=config,
        readers=resolve_readers(config, registry),
        encoder=resolve_named(config, registry, "encoder") if needs_encoder else None,
        gates=gates,
        gate_backends=gate_backends,
        selector=selector,
        contexts=contexts,
        backend=backend,
        sinks=resolve_sinks(config, registry),
        settings=run_settings(config, context_weights(contexts), backend.name),
    )


def resolve_components(config: RunConfig, registry: Registry) -> tuple[ResolvedComponent, ...]:
    """Return the components of a run that see images, without those that lack a requirement.

    :raises UsageError: for a component or an option that does not exist or is invalid.
    """
    resolvers: list[Callable[[], Sequence[ResolvedComponent]]] = [
        lambda: resolve_gates(config, registry),
        lambda: [resolve_named(config, registry, "selector")],
        lambda: resolve_contexts(config, registry),
        lambda: [resolve_backend(config, registry)],
    ]
    components: list[ResolvedComponent] = []
    for resolve in resolvers:
        with suppress(MissingRequirement):
            components += resolve()
    if _need_encoder(components):
        with suppress(MissingRequirement):
            components.insert(0, resolve_named(config, registry, "encoder"))
    return tuple(components)


def choose_backend_name(config: RunConfig, registry: Registry) -> tuple[str, str]:
    """Return the name of the backend, and why ``auto`` stands for it; no reason when the user named it.

    ``auto`` is the backend that this machine runs best on the device that the user chose: that of ``[backend]``,
    else that of ``[run]``.

    :raises MissingRequirement: when ``auto`` finds no installed backend.
    """
    table = config.backend
    if table.name != "auto":
        return table.name, ""
    choice = choose_backend(registry, str(table.options.get("device", config.run.device)))
    return choice.spec.name, choice.reason


def resolve_backend(config: RunConfig, registry: Registry, *, installed: bool = True) -> ResolvedComponent:
    """Return the backend. Errors as `resolve_component` and `choose_backend_name`."""
    name, reason = choose_backend_name(config, registry)
    table = config.backend.model_copy(update={"name": name})
    return replace(_resolve_table(config, registry, "backend", table, installed), reason=reason)


def resolve_named(config: RunConfig, registry: Registry, role: str, *, installed: bool = True) -> ResolvedComponent:
    """Return the component of a role that the configuration names, never ``auto``. Errors as `resolve_component`."""
    return _resolve_table(config, registry, role, getattr(config, role), installed)


def _resolve_table(
    config: RunConfig, registry: Registry, role: str, table: ComponentChoice, installed: bool
) -> ResolvedComponent:
    """Return the component of a table. A device there, as that of ``[run]``, is for models that have the option."""
    options, spec = dict(table.options), registry.find(role, table.name)
    if "device" in options and hasattr(spec, "devices") and "device" not in registry.options_model(spec).model_fields:
        del options["device"]
    return resolve_component(config, registry, role, table.name, options, installed=installed)


def resolve_contexts(config: RunConfig, registry: Registry, *, installed: bool = True) -> tuple[ResolvedComponent, ...]:
    """Return the contexts in the order of the configuration. Errors as `resolve_component`."""
    tables = {name: config.context.get(name, {}) for name in config.contexts}
    return tuple(
        resolve_component(config, registry, "context", name, options, installed=installed)
        for name, options in tables.items()
    )


def context_weights(contexts: Sequence[ResolvedComponent]) -> dict[str, float]:
    """Return the weight of each context's score in the fusion, at least 0, by the context's name."""
    return {context.name: float(getattr(context.options, "weight", 1.0)) for context in contexts}


def resolve_readers(
    config: RunConfig, registry: Registry, uris: Sequence[str] | None = None
) -> dict[str, ResolvedComponent]:
    """Return the reader of each video, by its URI.

    For ``auto`` the URI decides; an option that only other readers have is ignored, because it is for other videos.

    :param uris: None: the videos of the configuration.
    :raises UsageError: for a URI that no reader takes, and for an option that no reader has.
    """
    uris = config.videos if uris is None else uris
    if config.reader.name != "auto":
        return dict.fromkeys(uris, _resolve_named_reader(config, registry))
    fields: dict[str, Set[str]] = {}
    for reader in registry.specs("reader"):
        with suppress(PluginLoadError):  # a plugin that fails loses only its own components
            fields[reader.name] = set(registry.options_model(reader).model_fields)
    known_options = set().union(*fields.values())
    if unknown_options := sorted(set(config.reader.options) - known_options):
        raise InvalidOption(unknown_setting(f"reader.{unknown_options[0]}", sorted(known_options)))
    return {uri: _resolve_reader(config, registry, uri, fields) for uri in uris}


def resolve_sinks(config: RunConfig, registry: Registry) -> tuple[ResolvedComponent, ...]:
    """Return the sinks; for ``auto`` the suffix of the path decides. Errors as `resolve_run`."""
    sinks: list[ResolvedComponent] = []
    for table in config.sink:
        name = registry.sink_for(str(table.options.get("path", "-"))).name if table.name == "auto" else table.name
        sinks.append(resolve_component(config, registry, "sink", name, table.options))
    options = [value for table in (config.reader, config.encoder, config.backend) for value in table.options.values()]
    paths = [path for sink in sinks if (path := getattr(sink.options, "path", None)) is not None]
    check_distinct(paths, [*config.videos, config.prompt.name, *map(str, options)])
    return tuple(sinks)


def fill_in(
    config: RunConfig, components: Sequence[ResolvedComponent], sinks: Sequence[ResolvedComponent] = ()
) -> RunConfig:
    """Return the configuration with the resolved names and all options of its components."""
    tables: dict[str, Any] = config.model_dump()
    tables["gate"] = {}  # the options of a gate that is not in use may hold secrets of its backend
    for component in components:
        role = component.spec.role
        if role in ("context", "gate"):
            tables[role] = {**tables[role], component.name: component.option_values}
        else:
            tables[role] = component.settings
    if sinks:
        tables["sink"] = [sink.settings for sink in sinks]
    return RunConfig.model_validate(tables)


def _need_encoder(components: Sequence[ResolvedComponent]) -> bool:
    return any(getattr(component.spec, "needs_encoder", False) for component in components)


def _resolve_named_reader(config: RunConfig, registry: Registry) -> ResolvedComponent:
    """Return the reader that the user named; a preset's options are for readers that have them."""
    table = config.reader
    fields = registry.options_model(registry.find("reader", table.name)).model_fields
    of_preset = read_preset(config.preset).get("reader", {})
    options = {name: value for name, value in table.options.items() if name in fields or value != of_preset.get(name)}
    return resolve_component(config, registry, "reader", table.name, options)


def _resolve_reader(
    config: RunConfig, registry: Registry, uri: str, fields: Mapping[str, Set[str]]
) -> ResolvedComponent:
    """Return the reader that ``auto`` stands for. ``fields``: names of the options of each reader."""
    spec = registry.reader_for(uri)
    options = {name: value for name, value in config.reader.options.items() if name in fields.get(spec.name, ())}
    return resolve_component(config, registry, "reader", spec.name, options)


def _describe_prompt(template: PromptTemplate) -> dict[str, Any]:
    fields = asdict(template)
    if not template.scale:  # so that the description of a question without a scale is that of earlier releases
        del fields["scale"]
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    return {**fields, "sha256": digest}
