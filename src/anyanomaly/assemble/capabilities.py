"""Check that the components can do what a run needs, before anything is loaded."""

from __future__ import annotations

from typing import Any, cast

from anyanomaly.api.backend import Backend
from anyanomaly.api.encoder import Encoder
from anyanomaly.assemble.resolve import ResolvedRun, resolve_run
from anyanomaly.assemble.resolved_component import ResolvedComponent
from anyanomaly.config.model import RunConfig
from anyanomaly.errors import CapabilityError
from anyanomaly.kit import ThinkingOptions, check_scoring
from anyanomaly.registry import Registry
from anyanomaly.specs import BackendSpec, ContextSpec, EncoderSpec, ReaderSpec


def resolve_and_check(config: RunConfig, registry: Registry) -> ResolvedRun:
    """Return the run that a configuration stands for, once its components can do what it asks.

    Every command that reports on a run calls this, so that it refuses what ``run`` refuses, with the same words.

    :raises UsageError: as `resolve_run`, and when a component cannot do what the run asks.
    :raises MissingRequirement: when something that a component requires is not installed.
    """
    run = resolve_run(config, registry)
    check_capabilities(run)
    return run


def check_capabilities(run: ResolvedRun) -> None:
    """Check the specs of a run's components.

    :raises CapabilityError: when one cannot do what the run needs, with what to change.
    """
    spec = cast(BackendSpec, run.backend.spec)
    _check_images(run, spec.max_images)
    scoring = run.settings.scoring
    if scoring in ("expected", "yes-no") and spec.words and not spec.logprobs:
        raise CapabilityError(
            f"{run.backend.label} gives no log-probabilities, which --scoring {scoring} needs. Use --scoring words."
        )
    if scoring in ("expected", "yes-no") and isinstance(run.backend.options, ThinkingOptions):
        check_scoring(run.backend.options.thinking, scoring)
    if run.settings.reason is not None and not spec.words:
        raise CapabilityError(f"{run.backend.label} answers without words. Omit --reason-above.")
    for component in (*run.models, *run.gate_backends.values()):
        _check_device(component)
    for gate in run.gates:
        if gate.name in run.gate_backends:
            _check_gate_scoring(gate, run.gate_backends[gate.name])
    if run.encoder is not None and not cast(EncoderSpec, run.encoder.spec).dense_windows:
        _refuse_dense(run)
    _check_endless(run)


def check_encoder(run: ResolvedRun, encoder: Encoder[Any]) -> None:
    """Check what an encoder declares on itself once it is loaded: whether its model has dense windows.

    :raises CapabilityError: when a selector or a context needs them, and the model has none.
    """
    if _dense_components(run) and not encoder.dense_windows:
        _refuse_dense(run)


def check_backend(run: ResolvedRun, backend: Backend[Any]) -> None:
    """Check what a backend declares on itself: whether images leave this machine and, after loading, how many it takes.

    :raises CapabilityError: when it sends images off this machine without permission, or takes too few.
    """
    _check_network(run, run.backend, backend)
    if backend.max_images is not None:
        _check_images(run, backend.max_images)


def _refuse_dense(run: ResolvedRun) -> None:
    """:raises CapabilityError: when a selector or a context asks for dense windows."""
    assert run.encoder is not None
    for component in _dense_components(run):
        raise CapabilityError(
            f"{component.label} asks for dense windows, which {run.encoder.label} does not have. "
            f"Use --{component.path}.encoding exact, or another encoder."
        )


def _dense_components(run: ResolvedRun) -> list[ResolvedComponent]:
    parts = (run.selector, *run.contexts)
    return [component for component in parts if getattr(component.options, "encoding", "exact") == "dense"]


def check_gate_backend(run: ResolvedRun, resolved: ResolvedComponent, backend: Backend[Any]) -> None:
    """Check whether a backend that a gate asks sends images off this machine, which needs a permission.

    :raises CapabilityError: without the permission.
    """
    _check_network(run, resolved, backend)


def _check_network(run: ResolvedRun, resolved: ResolvedComponent, backend: Backend[Any]) -> None:
    if cast(BackendSpec, resolved.spec).network and backend.leaves_machine and not run.config.run.allow_network:
        raise CapabilityError(
            f"{resolved.label} sends images off this machine. If that is allowed, add --allow-network."
        )


def _check_gate_scoring(gate: ResolvedComponent, backend: ResolvedComponent) -> None:
    """Refuse a scoring that the backend of a gate cannot give."""
    scoring, spec = getattr(gate.options, "scoring", "words"), cast(BackendSpec, backend.spec)
    if scoring not in ("expected", "yes-no"):
        return
    if spec.words and not spec.logprobs:
        raise CapabilityError(
            f"{backend.label} of {gate.label} gives no log-probabilities, which the scoring {scoring} needs. "
            f"Use --{gate.path}.scoring words."
        )
    if isinstance(backend.options, ThinkingOptions):
        check_scoring(backend.options.thinking, scoring)


def _check_images(run: ResolvedRun, max_images: int | None) -> None:
    for context in run.contexts:
        n_images = cast(ContextSpec, context.spec).images
        if max_images is not None and n_images > max_images:
            raise CapabilityError(
                f"{context.label} makes up to {n_images} images per question; {run.backend.label} takes {max_images}. "
                f"Remove it from --context, or use another backend."
            )


def _check_device(component: ResolvedComponent) -> None:
    """Refuse a device that a component's spec does not name; ``auto`` is the component's own choice."""
    device = str(getattr(component.options, "device", "auto"))
    devices: frozenset[str] = getattr(component.spec, "devices", frozenset())
    if devices and device != "auto" and device.partition(":")[0] not in devices:
        raise CapabilityError(
            f"{component.label} does not run on {device}; it runs on {', '.join(sorted(devices))}. "
            f"Choose one with --{component.path}.device."
        )


def _check_endless(run: ResolvedRun) -> None:
    """Refuse videos after one that never ends."""
    for uri in list(run.readers)[:-1]:
        if cast(ReaderSpec, run.readers[uri].spec).live:
            raise CapabilityError(
                f"The source {uri} never ends, so the videos after it would never be searched. Name it last, "
                f"or search it in a separate run."
            )
