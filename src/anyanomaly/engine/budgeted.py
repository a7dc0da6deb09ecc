"""A run with a budget over recordings: a cheap pass that rates all segments, then rounds of questions.

In a round only the chosen segments are read again, encoded and asked about; see `core.schedule.Schedule` for which. The
scores come in planned order once the questions are done, or the run ends early: what was not asked has the score of
its gates. Between the passes only numbers are kept of a segment, and of one that was asked about its answers and the
draft of its evidence; above ``MAX_EVIDENCE_BYTES`` the drafts of the lowest scores are dropped first.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from anyanomaly.core.schedule import Pair, Schedule
from anyanomaly.engine.asking import Asker
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.collect import CollectedScore, unasked_score
from anyanomaly.engine.evidence import EvidenceBook
from anyanomaly.engine.plan import Planner, Source
from anyanomaly.engine.planned import PlannedSegment, Task, VideoEnd, unasked_segment
from anyanomaly.engine.rated import SegmentReader, SegmentRecord
from anyanomaly.engine.run_report import RunReport
from anyanomaly.engine.settings import RunSettings
from anyanomaly.errors import BackendError, VideoError
from anyanomaly.types import Notice, Score, Segment, SegmentScore

MAX_EVIDENCE_BYTES = 256 * 2**20
"""Of the pictures of segments that were asked about."""
MAX_FAILURES = 2
"""After failures at this many videos in a row, the backend is taken to be broken."""

Rated: TypeAlias = SegmentRecord | VideoEnd
LookAheadOf: TypeAlias = Callable[[Iterator[PlannedSegment]], Generator[PlannedSegment, None, None]]


class BudgetedRun:
    """Rates all segments of recordings, and asks about those that a schedule chooses."""

    def __init__(
        self,
        settings: RunSettings,
        sources: Sequence[Source],
        planner: Planner,
        asker: Asker,
        evidence: EvidenceBook,
        report: RunReport,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._sources = sources
        self._planner = planner
        self._asker = asker
        self._evidence = evidence
        self._report = report
        self._reader = SegmentReader(settings, clock)
        self._rated: dict[str, dict[int, SegmentRecord]] = {video.id: {} for _, video in sources}  # by video and index
        self._ends: dict[str, VideoEnd] = {}
        self._scores: dict[Pair, SegmentScore] = {}
        self._unreadable: dict[str, str] = {}  # id of a video that could not be read again, to the problem
        self._notices: tuple[Notice, ...] = ()  # about the run
        self._skipped: dict[str, str] = {}  # id of a video at which the backend failed, to the problem

    @property
    def has_asked(self) -> bool:
        """Whether there is any score of the backend."""
        return bool(self._scores)

    def rate(self) -> Iterator[Rated]:
        """Yield all segments, rated, and the ends of videos; each is to be given to ``add_rated``."""
        for reader, video in self._sources:
            for group in self._planner.rated_groups(reader, video):
                if isinstance(group, VideoEnd):
                    yield group
                    continue
                for segment, priorities in group:
                    yield SegmentRecord.of(segment, unasked_segment(segment, priorities))

    def add_rated(self, rated: Rated) -> None:
        """Keep what a segment or the end of a video tells."""
        if isinstance(rated, VideoEnd):
            self._ends[rated.video.id] = rated
            self._report.n_rated_videos += 1
            return
        segment = rated.segment
        self._rated[segment.video.id][segment.index] = rated
        self._report.n_rated_frames += segment.stop - segment.start

    def ask(self, look_ahead: LookAheadOf, *, with_evidence: bool, skip_failures: bool) -> None:
        """Ask round by round until the budget is spent.

        :param look_ahead: runs a plan on a thread. :param with_evidence: draft evidence. :param skip_failures: leave
            out a video at which the backend fails, unless that happens at several in a row.
        :raises BackendError: when the backend fails.
        """
        schedule = self._make_schedule()
        n_failures = 0
        is_careful = False
        while pairs := schedule.next_round():
            parts = deque(_by_video(pairs) if is_careful else [pairs])
            while parts:
                part = parts.popleft()
                try:
                    self._ask_about(part, schedule, look_ahead, with_evidence)
                    n_failures = 0
                except BackendError as error:
                    if not skip_failures:
                        raise
                    self._asker.reset()
                    if is_careful:
                        n_failures += 1
                        if n_failures == MAX_FAILURES:
                            raise
                        video = part[0].video
                        self._skipped[video] = f"Video '{video}' is skipped: {error}"
                    else:
                        is_careful = True
                        parts.extend(_by_video(part))
            for pair in pairs:
                if pair not in self._scores:
                    schedule.record(pair, math.nan, 0)
            self._evidence.trim({pair: score.value for pair, score in self._scores.items()}, MAX_EVIDENCE_BYTES)

    def results(self) -> Iterator[CollectedScore | VideoEnd]:
        """Yield the scores of all rated segments in planned order, asked about or not, and the ends of videos."""
        for _, video in self._sources:
            is_skipped = video.id in self._skipped
            for index, rated in () if is_skipped else sorted(self._rated[video.id].items()):
                for text in self._settings.texts_of(video):
                    score = self._scores.get(Pair(video.id, index, text))
                    yield CollectedScore(score or unasked_score(rated.segment, text, self._settings), 0)
            if end := self._ends.get(video.id):
                notices, self._notices = (*end.notices, *self._notices), ()
                problem = self._skipped.get(video.id) or end.problem or self._unreadable.get(video.id, "")
                yield replace(end, problem=problem, notices=notices)

    def _make_schedule(self) -> Schedule:
        rule, settings = self._settings.gate, self._settings
        assert rule is not None  # there is no budget without gates
        schedule = Schedule(
            (
                (Pair(video, index, text), priority.combined)
                for video, segments in self._rated.items()
                for index, rated in segments.items()
                for text, priority in rated.segment.priorities.items()
            ),
            rule.budget,
            questions_per_pair=len(settings.weights) + (settings.reason is not None),
            above=rule.above,
            minutes=sum(_length_s(list(segments.values())) for segments in self._rated.values()) / 60,
        )
        self._report.counts_pairs = schedule.max_questions is None
        self._report.n_budget = schedule.n_expected if schedule.max_questions is None else schedule.max_questions
        if schedule.max_questions is not None and schedule.max_questions < schedule.questions_per_pair:
            message = (
                f"The budget is enough for {schedule.max_questions} questions about these videos, and a segment may "
                f"need {schedule.questions_per_pair}, so nothing was asked. Raise --budget."
            )
            self._notices = (Notice(next(iter(self._rated)), message),)
        return schedule

    def _ask_about(
        self, pairs: Sequence[Pair], schedule: Schedule, look_ahead: LookAheadOf, with_evidence: bool
    ) -> None:
        left = [pair for pair in pairs if pair not in self._scores and pair.video not in self._skipped]
        with contextlib.closing(look_ahead(self._plan(left, schedule, with_evidence))) as plan:
            for item in self._asker.ask(plan):
                if isinstance(item, VideoEnd) or not item.score.asked:
                    continue
                score = item.score
                pair = Pair(score.video.id, score.segment, score.text)
                self._scores[pair] = score
                schedule.record(pair, _mean(score.scores.values()), item.n_questions)
                self._report.n_spent = len(self._scores) if self._report.counts_pairs else schedule.n_questions

    def _plan(self, pairs: Sequence[Pair], schedule: Schedule, with_evidence: bool) -> Iterator[PlannedSegment]:
        """Yield the planned segments of a round in the order of the videos and of time."""
        texts: dict[str, dict[int, list[str]]] = {}
        for pair in pairs:
            texts.setdefault(pair.video, {}).setdefault(pair.segment, []).append(pair.text)
        limit = _Limit(schedule)
        for reader, video in self._sources:
            chosen_texts = texts.get(video.id, {})
            if not chosen_texts or video.id in self._unreadable:
                continue
            rated = self._rated[video.id]
            group: list[Segment] = []
            try:
                for segment in self._reader.read(reader, video, [rated[index] for index in sorted(chosen_texts)]):
                    group.append(segment)
                    if len(group) >= self._planner.group_size(segment):
                        yield from limit.apply(self._plan_group(group, chosen_texts, with_evidence))
                        group = []
            except VideoError as error:
                self._unreadable[video.id] = str(error)
            yield from limit.apply(self._plan_group(group, chosen_texts, with_evidence))

    def _plan_group(
        self, group: Sequence[Segment], chosen_texts: Mapping[int, Sequence[str]], with_evidence: bool
    ) -> Iterator[PlannedSegment]:
        tasks = []
        for segment in group:
            all_texts = self._settings.texts_of(segment.video)
            texts = tuple(text for text in all_texts if text in chosen_texts[segment.index])
            priorities = self._rated[segment.video.id][segment.index].segment.priorities
            tasks.append(Task(segment, texts, priorities))
        yield from self._planner.plan_tasks(tasks, with_evidence=with_evidence)


class _Limit:
    """Keeps a round within the budget where contexts are several questions, which is known only when they are built."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._n_free = math.inf if schedule.n_free is None else schedule.n_free

    def apply(self, planned: Iterable[PlannedSegment]) -> Iterator[PlannedSegment]:
        """Yield segments without the texts that would exceed the budget."""
        for segment in planned:
            dropped = set()
            for text in dict.fromkeys(query.id.text for query in segment.queries):
                n_questions = bool(segment.reason_queries) + sum(
                    query.id.text == text for query in (*segment.queries, *segment.later_queries)
                )
                n_more = max(0, n_questions - self._schedule.questions_per_pair)
                if n_more > self._n_free:
                    dropped.add(text)
                else:
                    self._n_free -= n_more
            yield segment.without(dropped) if dropped else segment


def _by_video(pairs: Sequence[Pair]) -> list[list[Pair]]:
    parts: dict[str, list[Pair]] = {}
    for pair in pairs:
        parts.setdefault(pair.video, []).append(pair)
    return list(parts.values())


def _length_s(segments: Sequence[SegmentRecord]) -> float:
    """Return the length of a video whose segments these are, in seconds."""
    if not segments:
        return 0.0
    first, last = segments[0].segment, segments[-1].segment
    return float(last.times_s[-1]) - float(first.times_s[0]) + 1 / last.video.fps


def _mean(scores: Iterable[Score]) -> float:
    """Return the plain mean of the scores that are numbers; NaN: there is none."""
    values = [score.value for score in scores if not math.isnan(score.value)]
    return math.fsum(values) / len(values) if values else math.nan
