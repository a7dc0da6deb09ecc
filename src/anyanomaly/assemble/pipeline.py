"""A run with its components: created from a resolved run, loaded on entering, freed on leaving."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, cast

from anyanomaly.api.backend import Backend
from anyanomaly.api.component import Component
from anyanomaly.api.context import ContextGenerator, ContextOptions
from anyanomaly.api.encoder import Encoder
from anyanomaly.api.gate import Gate
from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.api.selector import Selector
from anyanomaly.api.sink import Sink, SinkOptions
from anyanomaly.assemble.cache import store_limits, store_path
from anyanomaly.assemble.capabilities import check_backend, check_encoder, resolve_and_check
from anyanomaly.assemble.gate_backends import GateBackends
from anyanomaly.assemble.resolved_component import ResolvedComponent
from anyanomaly.assemble.run_keys import open_memory
from anyanomaly.assemble.scoring import with_run
from anyanomaly.assemble.segment_planner import SegmentPlanner, find_rated_segment
from anyanomaly.assemble.video_ids import distinguish_ids
from anyanomaly.config.model import RunConfig
from anyanomaly.engine.caching_encoder import CachingEncoder
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.gating import SegmentPriorities
from anyanomaly.engine.observer import Observer
from anyanomaly.engine.outputs import Outputs
from anyanomaly.engine.plan import Planner, Source
from anyanomaly.engine.run import Run
from anyanomaly.engine.run_report import RunReport
from anyanomaly.engine.settings import RunSettings
from anyanomaly.engine.store import AnswerStore
from anyanomaly.engine.writing import Outcome
from anyanomaly.errors import UsageError, VideoError
from anyanomaly.masking import mask_urls_in
from anyanomaly.registry import Registry
from anyanomaly.specs import BackendSpec
from anyanomaly.types import Notice, Segment


class Pipeline:
    """The components of a run, created and checked against each other; nothing is loaded yet.

    A context manager: entering probes the videos, checks the outputs and loads the models; leaving frees them.
    ``run()`` then yields segment scores, timelines, evidence and events, and keeps the counts in ``report`` up to date.
    """

    def __init__(
        self,
        config: RunConfig,
        registry: Registry,
        ids: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """:param ids: ids of the videos, by URI; None: made from the URIs.
        :param clock: a `StageClock`, for `report.speed`; None: do not measure.

        :raises UsageError: when a component or an option does not exist, or the components do not fit together.
        :raises MissingRequirement: when something that a component requires is not installed.
        """
        if not config.texts:
            raise UsageError("There is no event text. Name what to find, for example: -t bicycle")
        self.resolved = resolve_and_check(config, registry)
        self._is_scoring_auto = config.run.scoring == "auto"
        self.report = RunReport()
        self._registry = registry
        self._ids = ids
        self._clock = clock
        self._stack = contextlib.ExitStack()
        self._sources: list[Source] = []
        self._priorities: Mapping[str, SegmentPriorities] = {}  # of the segment that `find_segment` returned

        self.gates = [cast("Gate[Options]", self._create(gate)) for gate in self.resolved.gates]
        self.selector = cast("Selector[Options]", self._create(self.resolved.selector))
        self.contexts = [
            cast("ContextGenerator[ContextOptions]", self._create(context)) for context in self.resolved.contexts
        ]
        self.backend = cast("Backend[Options]", self._create(self.resolved.backend))
        check_backend(self.resolved, self.backend)
        self._gate_backends = GateBackends(self.resolved, registry, self.gates)
        self.encoder = self._create_encoder()
        self._sinks = [cast("Sink[SinkOptions]", self._create(sink)) for sink in self.resolved.sinks]
        self.outputs = Outputs(self._sinks)
        self._outcomes: Generator[Outcome, None, None] | None = None
        self._n_runs = 0
        self._unopened: list[Notice] = []
        spec = cast(BackendSpec, self.resolved.backend.spec)
        self._store = AnswerStore(store_path(), store_limits()) if config.run.store and spec.cacheable else None
        self._readers = [
            (uri, cast("Reader[Options]", self._create(reader))) for uri, reader in self.resolved.readers.items()
        ]

    @property
    def config(self) -> RunConfig:
        """The configuration, with the scoring that ``auto`` stands for."""
        return self.resolved.config

    @property
    def settings(self) -> RunSettings:
        """The settings of the run; entering the pipeline may change the scoring that ``auto`` stands for."""
        return self.resolved.settings

    @property
    def planner(self) -> Planner:
        """A planner of the run."""
        return self._planner(self.settings)

    @property
    def sources(self) -> Sequence[Source]:
        """The videos that could be opened, each with its reader."""
        return self._sources

    @property
    def written_paths(self) -> list[str]:
        """The files and folders that a run has written, once it is complete."""
        return [path for sink in self._sinks for path in sink.written_paths]

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
        """Tell the sinks how the run ended, and close all components.

        :raises OutputError: when a result file cannot be completed, and no error ends the run.
        """
        try:
            if self._outcomes is not None:
                self._outcomes.close()  # a run that was left before its end
            speed = self.report.speed if self._n_runs == 1 else None  # otherwise it is that of the last part
            self.outputs.end(error, self._unopened, speed.describe() if speed else "")
        finally:
            self._stack.close()

    def run(
        self,
        sources: Sequence[Source] | None = None,
        settings: RunSettings | None = None,
        *,
        is_repeatable: bool = False,
        observer: Observer | None = None,
    ) -> Iterator[Outcome]:
        """Yield segment scores, pieces of timelines, evidence and events as soon as they are final.

        :param sources: videos to run; None: all. :param settings: None: those of the resolved run.
        :param is_repeatable: the caller repeats the unfinished videos after a `BackendError`.
        :param observer: receives the queries and the answers; None: nothing does.
        :raises BackendError: when the backend fails, or too many answers are unreadable.
        :raises OutputError: when a result file cannot be written.
        """
        sources = self._sources if sources is None else sources
        planner = self._planner(settings := settings or self.settings, observer)
        yield from self._run(settings, sources, planner, observer, is_repeatable)

    def find_segment(self, at_s: float | None = None, number: int | None = None) -> Segment:
        """Return a segment of the first video: the one shown at ``at_s`` seconds, or the one of a number from 0.

        Gates rate the segments up to it, because their priorities depend on what came before.

        :raises UsageError: when the video, or its section, has no such segment.
        """
        segment, self._priorities = find_rated_segment(self.planner, self.sources[0], at_s, number)
        return segment

    def run_segment(self, segment: Segment, observer: Observer) -> Iterator[Outcome]:
        """Run one segment as a run of the whole video would; unreadable answers do not fail it.

        It is asked about whatever its gates say; its scores hold their priorities when `find_segment` returned it.

        :param observer: receives its queries and the answers. :raises BackendError: when the backend fails.
        """
        rule = self.settings.gate and replace(self.settings.gate, above=-1.0, budget=None)
        settings = replace(self.settings, max_unreadable=1.0, gate=rule if self._priorities else None)
        planner = SegmentPlanner(settings, self.selector, self.contexts, self.encoder, self._clock, observer)
        planner.rated_segment = segment, self._priorities
        yield from self._run(settings, self.sources[:1], planner, observer)

    def header(self) -> dict[str, Any]:
        """Describe the run for result files, JSON-ready, without secrets; nothing in it differs when it is repeated.

        ``encoder`` and ``backend`` are the fingerprints of the models, ``revisions`` the versions of their weights.
        """
        models = {"encoder": self.encoder, "backend": self.backend}
        header = {
            **self.resolved.header(self._registry),
            **{role: model.fingerprint if model else None for role, model in models.items()},
            "revisions": {role: model.revision if model else None for role, model in models.items()},
        }
        if gate_backends := self._gate_backends.describe():
            header["gate_backends"] = gate_backends
        return {name: mask_urls_in(value) for name, value in header.items()}

    def _run(
        self,
        settings: RunSettings,
        sources: Sequence[Source],
        planner: Planner,
        observer: Observer | None = None,
        is_repeatable: bool = False,
    ) -> Iterator[Outcome]:
        header = self.header()
        run = Run(
            settings,
            sources,
            planner,
            self.backend,
            self.outputs,
            self._store,
            header,
            self._clock,
            observer,
            is_repeatable,
            open_memory(header, sources) if self._store and not isinstance(planner, SegmentPlanner) else None,
        )
        self.count_reused = run.count_reused
        run.report.problems += self.report.problems
        self.report = run.report
        self._outcomes = iter(run)
        self._n_runs += 1
        yield from self._outcomes

    def _open(self) -> None:
        """Probe videos and check outputs before any model is loaded; load the encoder before the backend.

        An engine that reserves a fraction of the free GPU memory then does not count what the encoder needs.
        """
        errors: dict[str, VideoError] = {}  # by URI
        for uri, reader in self._readers:
            self._stack.enter_context(reader)
            try:
                video = reader.probe(uri)
            except VideoError as error:
                errors[uri] = error
            else:
                video = replace(video, section=self.config.run.section)
                self._sources.append((reader, replace(video, id=self._ids[uri]) if self._ids else video))
        if errors and not self._sources:
            raise next(iter(errors.values()))
        self.report.problems = [Notice(uri, str(error)) for uri, error in errors.items()]
        self._unopened = list(self.report.problems)
        if self._ids is None:
            self._sources = distinguish_ids(self._sources)
        models = (self.encoder, *self._gate_backends.by_gate.values(), *self.gates)
        parts = (*self._sinks, *models, self.selector, *self.contexts, self.backend)
        for component in (part for part in parts if part is not None):
            self._stack.enter_context(component)
            if component is self.encoder:
                check_encoder(self.resolved, self.encoder)
        self._gate_backends.open_stores(self._stack)
        check_backend(self.resolved, self.backend)
        if self._is_scoring_auto and self.settings.scoring == "expected" and not self.backend.gives_logprobs():
            words = with_run(self.config, scoring="words", reason_above=None)
            self.resolved = resolve_and_check(words, self._registry)
        for sink in self._sinks:  # before the models: results are complete although a model takes long to close
            self._stack.callback(sink.close)
        if self._store:
            self._store.open()
            self._stack.callback(self._store.close)

    def _planner(self, settings: RunSettings, observer: Observer | None = None) -> Planner:
        gates = {component.name: gate for component, gate in zip(self.resolved.gates, self.gates, strict=True)}
        return Planner(settings, self.selector, self.contexts, self.encoder, self._clock, observer, gates)

    def _create(self, component: ResolvedComponent) -> Component[Options]:
        return self._registry.create(component.spec, component.options)

    def _create_encoder(self) -> CachingEncoder | None:
        """Return the encoder, one for all components that need it; None when none does."""
        if self.resolved.encoder is None:
            return None
        created = cast("Encoder[Options]", self._create(self.resolved.encoder))
        encoder = CachingEncoder(created, clock=self._clock)
        resolved = (*self.resolved.gates, self.resolved.selector, *self.resolved.contexts, self.resolved.backend)
        parts = (*self.gates, self.selector, *self.contexts, self.backend)
        for component, part in zip(resolved, parts, strict=True):
            if getattr(component.spec, "needs_encoder", False):
                part.encoder = encoder  # type: ignore[attr-defined]  # each of these roles declares it
        for name, backend in self._gate_backends.by_gate.items():
            if getattr(self.resolved.gate_backends[name].spec, "needs_encoder", False):
                backend.encoder = encoder
        return encoder
