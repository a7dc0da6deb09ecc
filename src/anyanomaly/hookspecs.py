"""The hooks a plugin may implement. Import-light: nothing here may import numpy, pydantic or typer."""

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
        ReaderSpec,
        SelectorSpec,
        SinkSpec,
    )

hookspec = pluggy.HookspecMarker("anyanomaly")
hookimpl = pluggy.HookimplMarker("anyanomaly")


@hookspec
def anyanomaly_register_readers() -> Iterable[ReaderSpec]:
    """Return the video readers this plugin provides.

    A reader turns a URI into frames. When the user names none, the first whose scheme and suffix
    match is taken, built-in readers last.
    """


@hookspec
def anyanomaly_register_encoders() -> Iterable[EncoderSpec]:
    """Return the image-text encoders (CLIP and its kin) that selectors and contexts share."""


@hookspec
def anyanomaly_register_selectors() -> Iterable[SelectorSpec]:
    """Return the selectors: which frames of a segment speak for it, per event text."""


@hookspec
def anyanomaly_register_contexts() -> Iterable[ContextSpec]:
    """Return the context generators: what each query shows the backend."""


@hookspec
def anyanomaly_register_backends() -> Iterable[BackendSpec]:
    """Return the scorer backends: what answers queries about images.

    Called on every start, ``--help`` included, so build specs from literals. Loading weights,
    probing GPUs and importing torch belong in the class that ``target`` names.
    """


@hookspec
def anyanomaly_register_datasets() -> Iterable[DatasetSpec]:
    """Return the benchmark data sets: videos with labels."""


@hookspec
def anyanomaly_register_sinks() -> Iterable[SinkSpec]:
    """Return the sinks: where segment scores, timelines and events go."""


@hookspec
def anyanomaly_register_commands(app: typer.Typer) -> None:
    """Add commands to ``anyanomaly``.

    :param app: an application of the plugin's own; use ``@app.command()`` or ``app.add_typer()``. Import
        what a command needs inside its body. Names taken by the core are refused.
    """
