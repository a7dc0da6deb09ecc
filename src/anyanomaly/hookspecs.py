"""The hooks that a plugin may implement. Imported on every start: nothing here may import numpy, pydantic or typer."""

# mypy: disable-error-code="empty-body"
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import typer

    from anyanomaly.specs import (
        BackendSpec,
        ContextSpec,
        DatasetSpec,
        EncoderSpec,
        GateSpec,
        ReaderSpec,
        SelectorSpec,
        SinkSpec,
    )

hookspec = pluggy.HookspecMarker("anyanomaly")
hookimpl = pluggy.HookimplMarker("anyanomaly")


@hookspec
def anyanomaly_register_readers() -> Iterable[ReaderSpec]:
    """Return the video readers this plugin provides.

    A reader turns a URI into frames. Unless the user names a reader, the first one whose scheme or
    suffix matches the URI is used; built-in readers come last.
    """


@hookspec
def anyanomaly_register_encoders() -> Iterable[EncoderSpec]:
    """Return the image-text encoders (CLIP and similar models) that selectors, contexts and backends share."""


@hookspec
def anyanomaly_register_gates() -> Iterable[GateSpec]:
    """Return the gates: they rate segments cheaply, so that the backend is asked where an event is likely."""


@hookspec
def anyanomaly_register_selectors() -> Iterable[SelectorSpec]:
    """Return the selectors: they pick the key frames of a segment for each event text."""


@hookspec
def anyanomaly_register_contexts() -> Iterable[ContextSpec]:
    """Return the context generators: they make the images that a query shows to the backend."""


@hookspec
def anyanomaly_register_backends() -> Iterable[BackendSpec]:
    """Return the scorer backends: they answer queries about images.

    Called on every start, ``--help`` included, so build specs from literals. Load weights, probe
    GPUs and import torch in the class that ``target`` names.
    """


@hookspec
def anyanomaly_register_datasets() -> Iterable[DatasetSpec]:
    """Return the benchmark datasets: videos with labels."""


@hookspec
def anyanomaly_register_sinks() -> Iterable[SinkSpec]:
    """Return the sinks: they write segment scores, timelines, evidence and events."""


@hookspec
def anyanomaly_register_commands(app: typer.Typer) -> None:
    """Add commands to ``anyanomaly``.

    :param app: an empty Typer application; use ``@app.command()`` or ``app.add_typer()``. Import what a
        command needs inside its body. Names of built-in commands are refused.
    """
