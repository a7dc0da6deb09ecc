"""The loop of a run: plan, look ahead, ask, collect, track events and write to sinks.

When a run fails, the results so far are still written.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from anyanomaly.api.backend import Backend
from anyanomaly.api.options import Options
from anyanomaly.core.pace import Pacer
from anyanomaly.engine.asking import Asker
from anyanomaly.engine.budgeted import BudgetedRun
from anyanomaly.engine.clock import Clock, Speed, waiting_share
from anyanomaly.engine.collect import CollectedScore, Collector
from anyanomaly.engine.evidence import EvidenceBook
from anyanomaly.engine.gating import SegmentPriorities
from anyanomaly.engine.lookahead import LookAhead
from anyanomaly.engine.observer import Observer
from anyanomaly.engine.outputs import Outputs
from anyanomaly.engine.plan import Planner, Source
from anyanomaly.engine.planned import Choose, PlannedSegment, VideoEnd
from anyanomaly.engine.run_report import RunReport
from anyanomaly.engine.settings import RunSettings
from anyanomaly.engine.store import AnswerStore
from anyanomaly.engine.stored_answers import StoredAnswers
from anyanomaly.engine.stored_runs import Memory, Recorder, Replayer
from anyanomaly.engine.writing import Outcome, OutcomeWriter
from anyanomaly.errors import BackendError
from anyanomaly.types import Segment

T = TypeVar("T")
StoredScores: TypeAlias = Iterator[CollectedScore | VideoEnd]


class Run:
    """One run over loaded components. It can be iterated once."""

    def __init__(
        self,
        settings: RunSettings,
        sources: Sequence[Source],
        planner: Planner,
        backend: Backend[Options],
        outputs: Outputs,
        store: AnswerStore | None,
        header: Mapping[str, Any],
        clock: Clock | None = None,
        observer: Observer | None = None,
        is_repeatable: bool = False,
        memory: Memory | None = None,
    ) -> None:
        """:param is_repeatable: the caller repeats the videos that are not in `RunReport.finished_videos` after a
        `BackendError`; a run with a budget over recordings leaves out a video at which the backend fails instead.
        :param memory: of the scores of earlier runs; None: every video is read.
        """
        self._settings = settings
        self._sources = sources
        self._planner = planner
        self._outputs = outputs
        self._is_repeatable = is_repeatable
        self._header = header
        self._clock = clock or Clock()
        self._answers = StoredAnswers(backend, store)
        self._collector = Collector(settings)
        self._evidence = EvidenceBook()
        self.report = RunReport(has_gates=settings.gate is not None, n_videos=len(sources), n_texts=len(settings.texts))
        self._memory = memory
        recorder = Recorder(memory, settings, with_evidence=outputs.want_evidence) if memory else None
        self._recorder = recorder
        self._writer = OutcomeWriter(settings, outputs, self._evidence, self.report, recorder)
        self._asker = Asker(
            settings, backend, self._answers, self._collector, self._evidence, self._clock, observer or Observer()
        )
        self._replayer: Replayer | None = None
        if memory:
            self._replayer = Replayer(
                memory,
                settings,
                planner,
                self._asker,
                self._evidence,
                self._clock,
                with_evidence=outputs.want_evidence,
            )
        self._questions_per_pair = len(settings.weights) + (settings.reason is not None)

    def __iter__(self) -> Generator[Outcome, None, None]:
        """Yield segment scores, pieces of timelines, evidence and events, each as soon as it is final.

        Whatever ends the run, the sinks get all that was computed. Evidence comes where a sink needs it.

        :raises BackendError: when the backend fails, or at the end, when more answers are unreadable than
            ``max_unreadable`` allows.
        :raises OutputError: when a result file cannot be written.
        """
        self._outputs.begin(self._header)
        start_s = time.perf_counter()
        has_budget = self._settings.gate is not None and self._settings.gate.budget is not None
        is_live = any(video.live for _, video in self._sources)
        try:
            yield from self._run_budgeted() if has_budget and not is_live else self._run_streamed()
        except GeneratorExit:
            self._outputs.cut_short()
            raise
        finally:
            self._fill_in_report(time.perf_counter() - start_s)
        self.report.check_readable(self._settings.max_unreadable)

    def count_reused(self) -> int:
        """Return the answers so far that did not need the backend, without the scores of an earlier run."""
        return self._answers.n_reused

    @property
    def n_reused(self) -> int:
        """Answers so far that did not need the backend."""
        return self._answers.n_reused + (self._replayer.n_scores if self._replayer else 0)

    def _run_streamed(self) -> Iterator[Outcome]:
        """Go through the videos once."""
        left = self._collector.ready(without_reasons=True)
        try:
            sources = iter(self._sources)
            choose = self._choose_at_a_rate()
            stored_scores: list[StoredScores] = []
            while True:
                plan = self._planner.plan(
                    self._until_stored(sources, stored_scores), with_evidence=self._outputs.want_evidence, choose=choose
                )
                with self._look_ahead(plan) as planned:
                    yield from self._writer.track(self._asker.ask(planned))
                if not stored_scores:
                    break
                yield from self._writer.track(stored_scores.pop())
        except BackendError:
            if self._is_repeatable:
                self._writer.forget_videos()
                self._collector.reset()
            raise
        finally:
            self._writer.finish_early(left)

    def _run_budgeted(self) -> Iterator[Outcome]:
        """Rate all videos, ask about the likely segments, then go through the results."""
        run = BudgetedRun(
            self._settings, self._sources, self._planner, self._asker, self._evidence, self.report, self._clock
        )
        results = run.results()
        try:
            if stored := self._find_all():
                for scores in stored:
                    yield from self._writer.track(scores)
                return
            self.report.phase = "rate"
            with self._look_ahead(run.rate()) as rated:
                for item in rated:
                    run.add_rated(item)
            self.report.phase = "ask"
            run.ask(self._plan_ahead, with_evidence=self._outputs.want_evidence, skip_failures=self._is_repeatable)
            yield from self._writer.track(results)
        finally:
            self._writer.finish_early(results if run.has_asked else ())

    def _until_stored(self, sources: Iterator[Source], stored_scores: list[StoredScores]) -> Iterator[Source]:
        """Yield the sources to read, up to the first whose scores are stored: they go into ``stored_scores``."""
        for source in sources:
            key = self._memory.make_key(source, self._settings) if self._memory else None
            if scores := self._find(source, key):
                stored_scores.append(scores)
                return
            if self._recorder and key:
                self._recorder.expect(source[1], key)
            yield source

    def _find_all(self) -> list[StoredScores]:
        """Return the stored scores of all videos; none where those of a video are not stored."""
        keys = [self._memory.make_key(source, self._settings) if self._memory else None for source in self._sources]
        all_scores = [self._find(source, key) for source, key in zip(self._sources, keys, strict=True)]
        if all(all_scores):
            return [scores for scores in all_scores if scores]
        for (_, video), key in zip(self._sources, keys, strict=True):
            if self._recorder and key:
                self._recorder.expect(video, key)
        return []

    def _find(self, source: Source, key: str | None) -> StoredScores | None:
        """Return the stored scores of a video; None: there are none."""
        stored = self._replayer.find(key) if self._replayer and key else None
        return self._replayer.scores(source, stored) if self._replayer and stored else None

    def _plan_ahead(self, plan: Iterator[PlannedSegment]) -> Generator[PlannedSegment, None, None]:
        with self._look_ahead(plan) as planned:
            yield from planned

    @contextlib.contextmanager
    def _look_ahead(self, items: Iterator[T]) -> Iterator[Iterator[T]]:
        with LookAhead(items, size=_nbytes, max_bytes=self._settings.lookahead_bytes) as ahead:
            yield self._clock.time_items("wait", ahead)

    def _choose_at_a_rate(self) -> Choose | None:
        """Return what chooses the texts of a segment of a live video within the budget; None: there is no budget."""
        rule = self._settings.gate
        if rule is None or rule.budget is None:
            return None
        pacer = Pacer(rule.budget, questions_per_pair=self._questions_per_pair, above=rule.above)
        if rule.budget.unit == "questions":
            self.report.n_budget = int(rule.budget.amount)

        def choose(segment: Segment, priorities: Mapping[str, SegmentPriorities]) -> Sequence[str]:
            combined = {text: rated.combined for text, rated in priorities.items()}
            return pacer.choose(combined, (segment.stop - segment.start) / segment.video.fps)

        return choose

    def _fill_in_report(self, wall_s: float) -> None:
        self.report.n_asked = self._answers.n_asked
        self.report.n_reused = self.n_reused
        self.report.backend_times = self._answers.activity.times()
        n_stored, n_unreadable = (self._replayer.n_scores, self._replayer.n_unreadable) if self._replayer else (0, 0)
        self.report.n_answers = self._collector.n_answers + n_stored
        self.report.n_unreadable = self._collector.n_unreadable + n_unreadable
        self.report.unreadable_example = self._collector.unreadable_example
        self.report.mean_mass = self._outputs.mean_mass
        stages_s = self._clock.seconds()
        if stages_s is not None and self.report.n_segments:
            self.report.speed = Speed(
                wall_s=wall_s,
                n_segments=self.report.n_segments,
                n_frames=self.report.n_frames,
                n_whole_frames=self._writer.n_whole_frames,
                n_texts=len(self._settings.texts),
                video_s=self._writer.video_s,
                prompt_tokens=self._collector.prompt_tokens,
                output_tokens=self._collector.output_tokens,
                stages_s=stages_s,
                waiting_share=waiting_share(self.report.backend_times),
            )


def _nbytes(item: object) -> int:
    if not isinstance(item, PlannedSegment):
        return 0
    return item.nbytes + sum(draft.nbytes for draft in item.drafts.values())
