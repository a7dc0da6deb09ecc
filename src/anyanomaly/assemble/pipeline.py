"""Names to objects: a configuration in, a pipeline out that loads what it needs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, Self, cast

from anyanomaly.api.backend import Backend
from anyanomaly.api.component import Component
from anyanomaly.api.context import ContextGenerator, ContextOptions
from anyanomaly.api.encoder import Encoder
from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.api.selector import Selector
from anyanomaly.api.sink import Sink, SinkOptions
from anyanomaly.assemble.settings import run_settings
from anyanomaly.config.model import ComponentChoice, RunConfig
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.plan import Planner, Source
from anyanomaly.engine.remember import RememberingEncoder
from anyanomaly.engine.run import Outcome, Run, RunReport
from anyanomaly.engine.settings import RunSettings
from anyanomaly.engine.store import AnswerStore
from anyanomaly.errors import CapabilityError, UsageError, VideoError
from anyanomaly.registry import Registry
from anyanomaly.registry.auto import choose_backend
from anyanomaly.specs import BackendSpec, ComponentSpec, ContextSpec


class Pipeline:
    """A run put together: components created and checked against each other, nothing loaded yet.

    A context manager: entering probes the videos, checks the outputs and loads the models; leaving frees them.
    ``run()`` then yields segment scores, timelines and events; ``report`` follows along.
    """

    def __init__(
        self,
        config: RunConfig,
        registry: Registry,
        ids: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """:param ids: of videos, by address, in place of names made from the addresses.
        :param clock: one that runs, for `report.speed`.

        :raises UsageError: when the components do not go together.
        """
        if not config.texts:
            raise UsageError("Say what to find, for example: -t bicycle")
        self.choice = None
        if config.backend.name == "auto":
            self.choice = choose_backend(registry, str(config.backend.options.get("device", config.run.device)))
            backend = config.backend.model_copy(update={"name": self.choice.name})
            config = config.model_copy(update={"backend": backend})
        self.config = config
        self.report = RunReport()
        self._registry = registry
        self._ids = ids
        self._clock = clock
        self._stack = contextlib.ExitStack()
        self._sources: list[Source] = []

        selector_spec = registry.find("selector", config.selector.name)
        context_specs = [cast(ContextSpec, registry.find("context", name)) for name in config.contexts]
        backend_spec = cast(BackendSpec, registry.find("backend", config.backend.name))
        _check_capabilities(config, context_specs, backend_spec)

        self._unused_contexts()
        self.selector = cast("Selector[Options]", self._create(selector_spec, config.selector.options))
        self.contexts = [
            cast("ContextGenerator[ContextOptions]", self._create(spec, config.context.get(spec.name, {})))
            for spec in context_specs
        ]
        self.backend = cast("Backend[Options]", self._create(backend_spec, config.backend.options))
        if backend_spec.network and self.backend.leaves_machine and not config.run.allow_network:
            raise CapabilityError(
                f"Backend '{backend_spec.name}' sends pictures off this machine. If that is allowed, add "
                f"--allow-network."
            )
        weights = {spec.name: each.options.weight for spec, each in zip(context_specs, self.contexts, strict=True)}
        self.settings = run_settings(config, weights)
        specs, components = (
            (selector_spec, *context_specs, backend_spec),
            (
                self.selector,
                *self.contexts,
                self.backend,
            ),
        )
        self.encoder = self._shared_encoder(specs, components)
        self.planner = Planner(self.settings, self.selector, self.contexts, self.encoder, clock)
        self._sinks = [self._sink(choice) for choice in config.sink]
        self._store = AnswerStore(store_path()) if config.run.store and backend_spec.cacheable else None
        self._readers = [(uri, self._reader(uri)) for uri in config.videos]

    @property
    def sources(self) -> Sequence[Source]:
        """The videos that could be opened, each with its reader."""
        return self._sources

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(self, sources: Sequence[Source] | None = None, settings: RunSettings | None = None) -> Iterator[Outcome]:
        """Yield segment scores as they come, and each video's timelines and events.

        :param sources: some of the videos, in place of all. :param settings: in place of the run's own.
        :raises BackendError: when the backend cannot go on, or too many answers cannot be read.
        """
        sources = self._sources if sources is None else sources
        planner = self.planner
        if settings is None:
            settings = self.settings
        else:
            planner = Planner(settings, self.selector, self.contexts, self.encoder, self._clock)
        run = Run(settings, sources, planner, self.backend, self._sinks, self._store, self.header(), self._clock)
        run.report.problems += self.report.problems
        self.report = run.report
        yield from run

    def header(self) -> dict[str, Any]:
        """Describe the run for result files: settings, versions, fingerprints; nothing that differs when run again."""
        return {
            "config": self.config.model_dump(mode="json", exclude={"sink"}),
            "versions": self._registry.versions(),
            "encoder": self.encoder.fingerprint if self.encoder else None,
            "backend": self.backend.fingerprint,
        }

    def _open(self) -> None:
        """Open what is cheap and likely to fail first; models last, the encoder before the backend.

        An engine that reserves a share of GPU memory measures what is free when it starts.
        """
        errors: list[VideoError] = []
        for uri, reader in self._readers:
            self._stack.enter_context(reader)
            try:
                video = reader.probe(uri)
            except VideoError as error:
                errors.append(error)
            else:
                self._sources.append((reader, replace(video, id=self._ids[uri]) if self._ids else video))
        if errors and not self._sources:
            raise errors[0]
        self.report.problems = [str(error) for error in errors]
        if self._ids is None:
            self._sources = _with_distinct_ids(self._sources)
        for component in (*self._sinks, self.encoder, self.selector, *self.contexts, self.backend):
            if component is not None:
                self._stack.enter_context(component)
        if self._store:
            self._store.open()
            self._stack.callback(self._store.close)

    def _create(self, spec: ComponentSpec, options: Mapping[str, Any]) -> Component[Options]:
        self._registry.check(spec)
        known = self._registry.options_model(spec).model_fields
        shared = {"device": self.config.run.device, "seed": self.config.run.seed}  # for every component that has them
        given = {name: value for name, value in shared.items() if name in known}
        return self._registry.create(spec, {**given, **options})

    def _shared_encoder(
        self, specs: Sequence[ComponentSpec], components: Sequence[Component[Options]]
    ) -> RememberingEncoder | None:
        wanting = [
            component
            for spec, component in zip(specs, components, strict=True)
            if getattr(spec, "needs_encoder", False)
        ]
        if not wanting:
            return None
        spec = self._registry.find("encoder", self.config.encoder.name)
        created = cast("Encoder[Options]", self._create(spec, self.config.encoder.options))
        encoder = RememberingEncoder(created, clock=self._clock)
        for component in wanting:
            component.encoder = encoder  # type: ignore[attr-defined]  # each of these roles declares it
        return encoder

    def _reader(self, uri: str) -> Reader[Options]:
        choice = self.config.reader
        if choice.name != "auto":
            spec: ComponentSpec = self._registry.find("reader", choice.name)
            return cast("Reader[Options]", self._create(spec, choice.options))
        spec = self._registry.reader_for(uri)
        fields = {each.name: self._registry.options_model(each).model_fields for each in self._registry.specs("reader")}
        others = {name for known in fields.values() for name in known} - set(fields[spec.name])
        # an option of another reader is meant for another video; one that no reader has is refused
        options = {name: value for name, value in choice.options.items() if name not in others}
        return cast("Reader[Options]", self._create(spec, options))

    def _sink(self, choice: ComponentChoice) -> Sink[SinkOptions]:
        if choice.name == "auto":
            spec: ComponentSpec = self._registry.sink_for(str(choice.options.get("path", "-")))
        else:
            spec = self._registry.find("sink", choice.name)
        return cast("Sink[SinkOptions]", self._create(spec, choice.options))

    def _unused_contexts(self) -> None:
        """:raises UnknownComponent: for options of a context that does not exist; of one not in use they may stay."""
        for name in self.config.context:
            self._registry.find("context", name)


def _check_capabilities(config: RunConfig, contexts: Sequence[ContextSpec], backend: BackendSpec) -> None:
    """:raises CapabilityError: when the backend cannot do what the run asks, with a way out."""
    for context in contexts:
        if backend.max_images is not None and context.images > backend.max_images:
            raise CapabilityError(
                f"Context '{context.name}' makes {context.images} images; backend '{backend.name}' takes "
                f"{backend.max_images}. Leave it out of --context, or use another backend."
            )
    scoring = config.run.scoring
    if scoring in ("expected", "yes-no") and backend.words and not backend.logprobs:
        raise CapabilityError(
            f"Backend '{backend.name}' gives no log-probabilities, which --scoring {scoring} needs. "
            f"Use --scoring words."
        )
    if config.run.reason_above is not None and not backend.words:
        raise CapabilityError(f"Backend '{backend.name}' answers without words. Leave --reason-above out.")


def _with_distinct_ids(sources: Sequence[Source]) -> list[Source]:
    """Name each video by as little of its path's end as tells it from the others."""
    depth = 0
    ids = [video.id for _, video in sources]
    uris = [video.uri for _, video in sources]
    if len(set(uris)) < len(uris):
        twice = next(uri for uri in uris if uris.count(uri) > 1)
        raise UsageError(f"The video {twice} is given twice.")
    parents = [PurePath(os.path.abspath(uri)).parent.parts for uri in uris]
    while len(set(ids)) < len(ids):
        depth += 1
        clashing = {id for id in ids if ids.count(id) > 1}
        ids = [
            "/".join((*parts[-depth:], video.id)) if id in clashing else id
            for id, parts, (_, video) in zip(ids, parents, sources, strict=True)
        ]
        if depth > 64:  # the same file under two names
            ids = uris
    return [(reader, replace(video, id=id)) for (reader, video), id in zip(sources, ids, strict=True)]


def cache_folder() -> Path:
    """Return the folder for what can be made again: ``ANYANOMALY_CACHE_DIR``, or the user's cache folder."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("ANYANOMALY_CACHE_DIR") or user_cache_path("anyanomaly"))


def store_path() -> Path:
    """Return the file of the answer store."""
    return cache_folder() / "answers.sqlite"
