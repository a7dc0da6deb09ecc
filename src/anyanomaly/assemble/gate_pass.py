"""The gates of a run alone, over its videos: what they would rate, without the backend."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import Self, cast

from anyanomaly.api.encoder import Encoder
from anyanomaly.api.gate import Gate
from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.api.selector import Selector
from anyanomaly.assemble.resolve import context_weights, resolve_contexts, resolve_named, resolve_readers
from anyanomaly.assemble.resolve_gates import resolve_gates
from anyanomaly.assemble.run_settings import run_settings
from anyanomaly.assemble.scoring import with_run
from anyanomaly.config.model import RunConfig
from anyanomaly.engine.caching_encoder import CachingEncoder
from anyanomaly.engine.gating import GateKeeper, SegmentPriorities
from anyanomaly.engine.plan import Planner
from anyanomaly.engine.settings import GateRule
from anyanomaly.errors import UsageError
from anyanomaly.registry import Registry
from anyanomaly.specs import GateSpec
from anyanomaly.types import Segment, Video

_GROUP = 4
"""Segments whose crops are encoded in one call."""


class GatePass:
    """Rates videos with the gates of a configuration. A context manager: entering loads them, leaving frees them."""

    def __init__(self, config: RunConfig, registry: Registry) -> None:
        """:param config: names one or more gates, and the backend of the run (never ``auto``).

        :raises UsageError: when a component or an option does not exist, or a gate asks a backend.
        :raises MissingRequirement: when something that a gate, the encoder or a reader requires is not installed.
        """
        self._config = config
        self._registry = registry
        self._stack = contextlib.ExitStack()
        weights = context_weights(resolve_contexts(config, registry, installed=False))
        words = with_run(config, scoring="words", reason_above=None, scale="tenths")  # gates do not ask for scores
        self._settings = run_settings(words, weights, config.backend.name)
        components = resolve_gates(config, registry)
        for component in components:
            if cast(GateSpec, component.spec).needs_backend:
                raise UsageError(
                    f"{component.label} asks a backend, so it is not rated again here. Make the scores with "
                    f"--gate {component.name} --budget 100%, so that they hold its priorities, or omit the gate."
                )
        self._gates = {
            component.name: cast("Gate[Options]", registry.create(component.spec, component.options))
            for component in components
        }
        self._encoder: CachingEncoder | None = None
        if any(cast(GateSpec, component.spec).needs_encoder for component in components):
            encoder = resolve_named(config, registry, "encoder")
            created = cast("Encoder[Options]", registry.create(encoder.spec, encoder.options))
            self._encoder = CachingEncoder(created)
        for component in components:
            if self._encoder is not None and cast(GateSpec, component.spec).needs_encoder:
                self._gates[component.name].encoder = self._encoder
        self._readers: dict[str, Reader[Options]] = {}  # by name: one reader serves all of its videos
        self._reader_of = {
            uri: (component.name, component) for uri, component in resolve_readers(config, registry).items()
        }

    def __enter__(self) -> Self:
        try:
            for name, component in self._reader_of.values():
                if name not in self._readers:
                    reader = cast("Reader[Options]", self._registry.create(component.spec, component.options))
                    self._readers[name] = self._stack.enter_context(reader)
            for model in (self._encoder, *self._gates.values()):
                if model is not None:
                    self._stack.enter_context(model)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def probe(self, uri: str) -> Video:
        """Return a video of the configuration. :raises VideoError: when it cannot be opened."""
        return self._readers[self._reader_of[uri][0]].probe(uri)

    def rate(
        self, video: Video, texts: Sequence[str], rule: GateRule
    ) -> Iterator[tuple[Segment, Mapping[str, SegmentPriorities]]]:
        """Yield the segments of a video with their priorities, by event text.

        :raises VideoError: after the last segment, when not all of the video could be read.
        """
        keeper = GateKeeper(self._gates, rule, texts, self._encoder)
        keeper.begin(video)
        planner = Planner(self._settings, cast("Selector[Options]", None), (), None)
        segments = planner.segments(self._readers[self._reader_of[video.uri][0]], video)
        while group := list(islice(segments, _GROUP)):
            yield from zip(group, keeper.rate(group), strict=True)
