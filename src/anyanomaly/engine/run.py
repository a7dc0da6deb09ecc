"""The loop of a run: plan, look ahead, answer, collect, fuse, track events and write to sinks.

When a run fails, the results so far are still written.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from anyanomaly import interrupts
from anyanomaly.api.backend import Backend
from anyanomaly.api.options import Options
from anyanomaly.engine.clock import Clock, Speed
from anyanomaly.engine.collect import ONLY_THOUGHTS, Collector
from anyanomaly.engine.evidence import EvidenceBook
from anyanomaly.engine.lookahead import LookAhead
from anyanomaly.engine.observer import Observer
from anyanomaly.engine.outputs import Outputs
from anyanomaly.engine.plan import PlannedSegment, Planner, Source, VideoEnd
from anyanomaly.engine.reasons import ReasonQueue, split_into_chunks
from anyanomaly.engine.settings import RunSettings
from anyanomaly.engine.store import AnswerStore
from anyanomaly.engine.stored_answers import StoredAnswers
from anyanomaly.engine.track import Tracker
from anyanomaly.errors import BackendError
from anyanomaly.evidence import Evidence
from anyanomaly.types import Answer, Event, Notice, Query, SegmentScore, Timeline, Video

Outcome: TypeAlias = SegmentScore | Timeline | Evidence | Event


@dataclass(slots=True)
class RunReport:
    """Counts of what a run did, for the summary at its end."""

    n_segments: int = 0
    n_frames: int = 0
    n_events: int = 0
    n_asked: int = 0  # queries that reached the backend
    n_reused: int = 0  # queries answered from the store, or by an equal query of this run
    n_answers: int = 0  # to questions for a score
    n_unreadable: int = 0  # of these, how many have no readable score
    unreadable_example: str = ""  # the beginning of the first unreadable answer; ONLY_THOUGHTS: it ends in its thoughts
    mean_mass: float | None = None  # mean probability of the allowed answers, 0 to 1; None: scores are read from words
    problems: list[Notice] = field(default_factory=list)  # one per video that could not be read in full
    notices: list[Notice] = field(default_factory=list)  # what readers noticed, though nothing failed
    finished_videos: list[str] = field(default_factory=list)  # ids of the videos that the run went through
    speed: Speed | None = None  # None: no clock ran

    def check_readable(self, max_unreadable: float) -> None:
        """Check how many answers have no readable score.

        :param max_unreadable: largest allowed fraction of them, 0 to 1.
        :raises BackendError: when it is exceeded.
        """
        if self.n_unreadable > max_unreadable * self.n_answers:
            example, advice = repr(self.unreadable_example), "--scoring expected, another prompt or model"
            if self.unreadable_example == ONLY_THOUGHTS:
                example = "thoughts that end before an answer"
                advice = "a larger --max-tokens, or --backend.thinking off"
            raise BackendError(
                f"{self.n_unreadable} of {self.n_answers} answers have no readable score, for example {example}. The "
                f"results are written without these scores. Try {advice}, or allow it with --max-unreadable 1."
            )


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
    ) -> None:
        """:param is_repeatable: the caller repeats the videos that are not in `RunReport.finished_videos` after a
        `BackendError`.
        """
        self._settings = settings
        self._observer = observer or Observer()
        self._sources = sources
        self._planner = planner
        self._outputs = outputs
        self._output_errors: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        self._is_repeatable = is_repeatable
        self._header = header
        self._clock = clock or Clock()
        self._answers = StoredAnswers(backend, store)
        self._collector = Collector(settings.weights, settings.scoring)
        self._reasons = ReasonQueue(settings.reason) if settings.reason else None
        self._evidence = EvidenceBook()
        self._trackers: dict[str, Tracker] = {}
        self.report = RunReport()
        self._n_whole_frames, self._video_s = 0, 0.0

    def __iter__(self) -> Generator[Outcome, None, None]:
        """Yield segment scores, pieces of timelines, evidence and events, each as soon as it is final.

        Whatever ends the run, the sinks get all that was computed. Evidence comes where a sink needs it.

        :raises BackendError: when the backend fails, or at the end, when more answers are unreadable than
            ``max_unreadable`` allows.
        :raises OutputError: when a result file cannot be written.
        """
        self._outputs.begin(self._header)
        start_s = time.perf_counter()
        try:
            plan = self._planner.plan(self._sources, with_evidence=self._outputs.want_evidence)
            with LookAhead(plan, size=_nbytes, max_bytes=self._settings.lookahead_bytes) as ahead:
                planned = self._clock.time_items("wait", ahead)
                if self._reasons is None:
                    yield from self._score(planned)
                else:
                    for chunk in split_into_chunks(planned, self._settings.lookahead_bytes // 4):
                        yield from self._score(chunk)
                        yield from self._track(self._reasons.ask(self._answer_timed))
        except GeneratorExit:
            self._outputs.cut_short()
            raise
        except BackendError:
            if self._is_repeatable:
                self._trackers.clear()
                if self._reasons:
                    self._reasons.clear()
            raise
        finally:
            self._fill_in_report(time.perf_counter() - start_s)
            self._finish_early()
        self.report.check_readable(self._settings.max_unreadable)

    @property
    def n_reused(self) -> int:
        """Answers so far that did not need the backend."""
        return self._answers.n_reused

    def _score(self, planned: Iterable[PlannedSegment | VideoEnd]) -> Iterator[Outcome]:
        with contextlib.closing(self._answers.answer(self._queries(planned))) as answers:
            for answer in self._clock.time_items("answer", answers):
                self._collector.add(answer)
                self._evidence.add(answer)
                self._observer.on_answer(answer)
                yield from self._track(self._ready())
        self._collector.check_complete()
        yield from self._track(self._ready())  # ends of videos, which no answer follows

    def _answer_timed(self, queries: Iterable[Query]) -> Iterator[Answer]:
        return self._clock.time_items("answer", self._answers.answer(queries))

    def _queries(self, planned: Iterable[PlannedSegment | VideoEnd]) -> Iterator[Query]:
        for item in planned:
            self._collector.expect(item)
            if isinstance(item, PlannedSegment):
                self._evidence.expect(item)
                if self._reasons:
                    self._reasons.expect(item)
                yield from item.queries

    def _ready(self) -> Iterator[SegmentScore | VideoEnd]:
        for item in self._collector.ready():
            if self._reasons is None or not self._reasons.add(item):
                yield item

    def _track(self, items: Iterable[SegmentScore | VideoEnd]) -> Iterator[Outcome]:
        """Write what the next items complete to the sinks, then yield it."""
        for item in items:
            with interrupts.Deferred():  # a signal must not part what was computed from what was written
                outcomes = self._end_video(item) if isinstance(item, VideoEnd) else self._add_score(item)
            yield from outcomes

    def _add_score(self, score: SegmentScore) -> Sequence[Outcome]:
        tracker = self._trackers.get(score.video.id)
        if is_first := tracker is None:
            tracker = self._trackers[score.video.id] = Tracker(score.video, self._settings)
        n_frames = score.stop - score.start
        if score.text == self._settings.texts[0]:
            self.report.n_segments += 1
            self.report.n_frames += n_frames
            self._video_s += n_frames / score.video.fps
            if n_frames == self._settings.segment_length(score.video):
                self._n_whole_frames += n_frames
        outcomes = [score, *tracker.push(score, self._evidence.take(score))]
        self._write([score.video, *outcomes] if is_first else outcomes)
        return outcomes

    def _end_video(self, end: VideoEnd) -> Sequence[Outcome]:
        problems = [Notice(end.video.id, end.problem)] if end.problem else []
        self.report.problems += problems
        self.report.notices += end.notices
        self.report.finished_videos.append(end.video.id)
        tracker = self._trackers.pop(end.video.id, None)
        if tracker is None:
            self._outputs.hold_notices((*end.notices, *problems))
            return []
        outcomes = tracker.finish()
        self._write(outcomes)
        with self._output_errors:
            self._outputs.write_notices((*end.notices, *problems))
        return outcomes

    def _finish_early(self) -> None:
        """Write the results so far of videos that the run did not finish."""
        self._output_errors = contextlib.suppress(Exception)  # the run already ends with one; the other sinks go on
        for _ in self._track(self._reasons.clear() if self._reasons else []):
            pass
        for tracker in self._trackers.values():
            self._write(tracker.finish())

    def _write(self, results: Iterable[Video | Outcome]) -> None:
        """Write results to the sinks; those that follow an error too, because other sinks can write them."""
        first_error: Exception | None = None
        for result in results:
            self.report.n_events += isinstance(result, Event)
            try:
                self._outputs.write(result)
            except Exception as error:
                first_error = first_error or error
        if first_error:
            with self._output_errors:
                raise first_error

    def _fill_in_report(self, wall_s: float) -> None:
        self.report.n_asked = self._answers.n_asked
        self.report.n_reused = self._answers.n_reused
        self.report.n_answers = self._collector.n_answers
        self.report.n_unreadable = self._collector.n_unreadable
        self.report.unreadable_example = self._collector.unreadable_example
        self.report.mean_mass = self._collector.mean_mass
        stages_s = self._clock.seconds()
        if stages_s is not None and self.report.n_segments:
            self.report.speed = Speed(
                wall_s=wall_s,
                n_segments=self.report.n_segments,
                n_frames=self.report.n_frames,
                n_whole_frames=self._n_whole_frames,
                n_texts=len(self._settings.texts),
                video_s=self._video_s,
                prompt_tokens=self._collector.prompt_tokens,
                output_tokens=self._collector.output_tokens,
                stages_s=stages_s,
            )


def _nbytes(item: PlannedSegment | VideoEnd) -> int:
    if isinstance(item, VideoEnd):
        return 0
    return item.nbytes + sum(draft.nbytes for draft in item.drafts.values())
