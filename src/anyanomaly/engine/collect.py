"""Turn answers in any order into segment scores in planned order, and decide which queries follow from them.

A segment and text is asked in up to three steps: its contexts, or with a `ClearRule` the first of them; the other
contexts, where the score of the first is not clear; a reason in words about its best context, where its score is high.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from anyanomaly.core.fuse import fuse, highest, per_context
from anyanomaly.core.gate import unasked_value
from anyanomaly.core.thinking import remove_thinking
from anyanomaly.engine.planned import PlannedSegment, VideoEnd
from anyanomaly.engine.read_score import read_score
from anyanomaly.engine.settings import RunSettings
from anyanomaly.engine.stored_answers import unknown_answer
from anyanomaly.errors import BackendError
from anyanomaly.kit import starts_with_thinking
from anyanomaly.types import Answer, Query, QueryId, Score, SegmentScore, Video

ONLY_THOUGHTS = "<think>"
"""Stands for an answer that ended before the model had finished to think."""


@dataclass(frozen=True, slots=True, eq=False)
class CollectedScore:
    """The score of a segment and text, and how many questions were asked for it, with those for a reason."""

    score: SegmentScore
    n_questions: int


@dataclass(slots=True, eq=False)
class _Pair:
    """A segment and text that is asked about."""

    segment: _Waiting
    text: str
    ids: list[QueryId]  # of the queries for scores so far, in planned order
    later_queries: list[Query]  # of further contexts, until it is known whether they are asked
    reason_queries: dict[QueryId, Query]  # by the ids of the queries for scores
    scores: dict[QueryId, Score] = field(default_factory=dict)
    n_questions: int = 0
    fused: SegmentScore | None = None  # once all its scores are known
    waits_for_reason: bool = False


@dataclass(slots=True, eq=False)
class _Waiting:
    """A segment that waits for answers."""

    segment: PlannedSegment  # without its queries, so that their images are freed once they are answered
    order: int
    nbytes: int  # of the images that are kept for queries that may follow
    pairs: list[_Pair] = field(default_factory=list)

    @property
    def has_scores(self) -> bool:
        return all(pair.fused for pair in self.pairs)

    @property
    def is_complete(self) -> bool:
        return all(pair.fused and not pair.waits_for_reason for pair in self.pairs)


class Collector:
    """Collects answers until a segment has all of them, and returns the segments in planned order."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._order: deque[_Waiting | VideoEnd] = deque()
        self._open: dict[QueryId, _Pair] = {}
        self._follow_ups: deque[tuple[tuple[int, int], Query]] = deque()  # with their place in planned order
        self._n_planned = 0
        self.held_bytes = 0
        """Bytes of the images that are kept for queries that may follow."""
        self.n_answers = 0
        self.n_unreadable = 0
        self.unreadable_example = ""
        self.prompt_tokens = self.output_tokens = 0  # of the answers that report them

    def expect(self, planned: PlannedSegment | VideoEnd) -> None:
        """Register a segment, or the end of a video, in planned order."""
        if isinstance(planned, VideoEnd):
            self._order.append(planned)
            return
        self._n_planned += 1
        bare = replace(planned, queries=(), later_queries=(), reason_queries=(), drafts={})
        waiting = _Waiting(bare, self._n_planned, planned.nbytes if planned.has_follow_ups else 0)
        self.held_bytes += waiting.nbytes
        pairs: dict[str, _Pair] = {}
        for query in planned.queries:
            pair = pairs.setdefault(query.id.text, _Pair(waiting, query.id.text, [], [], {}))
            pair.ids.append(query.id)
            pair.n_questions += 1
            self._open[query.id] = pair
        for query in planned.later_queries:
            pairs[query.id.text].later_queries.append(query)
        for query in planned.reason_queries:
            pairs[query.id.text].reason_queries[query.id] = query
        waiting.pairs = list(pairs.values())
        self._order.append(waiting)

    def add(self, answer: Answer) -> bool:
        """Add an answer to its segment, and return whether it is one to a query for a score, not for a reason.

        :raises BackendError: when no query waits for it.
        """
        pair = self._open.pop(answer.id, None)
        if pair is None:
            raise unknown_answer(answer)
        if pair.waits_for_reason:
            pair.waits_for_reason = False
            if pair.fused:
                pair.fused = _add_reason(pair.fused, answer)
            self._release(pair.segment)
            return False
        score = read_score(answer, self._settings.scoring)
        self.n_answers += 1
        self.prompt_tokens += answer.prompt_tokens or 0
        self.output_tokens += answer.output_tokens or 0
        if math.isnan(score.value):
            self.n_unreadable += 1
        pair.scores[answer.id] = score
        if len(pair.scores) == len(pair.ids):
            self._advance(pair)
        return True

    def reset(self) -> None:
        """Forget all segments: the backend has failed, and those that are left are asked about again."""
        self._order.clear()
        self._open.clear()
        self._follow_ups.clear()
        self.held_bytes = 0

    def next_follow_up(self) -> Query | None:
        """Return a query that follows from the answers so far, each once; None: there is none at present."""
        return self._follow_ups.popleft()[1] if self._follow_ups else None

    def take_follow_ups(self) -> list[Query]:
        """Return all queries that follow from the answers so far, in planned order whatever the order of answers."""
        follow_ups, self._follow_ups = sorted(self._follow_ups, key=lambda entry: entry[0]), deque()
        return [query for _, query in follow_ups]

    def ready(self, *, without_reasons: bool = False) -> Iterator[CollectedScore | VideoEnd]:
        """Yield segment scores per text and ends of videos, up to the first segment that still waits for an answer.

        The order does not depend on the order of the answers, so result files are equal byte for byte.

        :param without_reasons: do not wait for reasons.
        """
        while self._order:
            first = self._order[0]
            if isinstance(first, _Waiting) and not (first.has_scores if without_reasons else first.is_complete):
                return
            self._order.popleft()
            if isinstance(first, VideoEnd):
                yield first
            else:
                yield from self._finish(first)

    def check_complete(self) -> None:
        """:raises BackendError: when the backend ended without an answer to every query."""
        n_unanswered = len(self._open) - len(self._follow_ups)
        if n_unanswered:
            raise BackendError(f"The backend did not answer {n_unanswered} queries. Report this bug to its author.")

    def _advance(self, pair: _Pair) -> None:
        """Decide what follows for a segment and text whose queries so far are all answered."""
        if pair.later_queries and self._settings.clear:
            first = highest(pair.scores.values())
            if not self._settings.clear.is_clear(first.value):
                self._ask(pair, pair.later_queries)
                pair.ids += [query.id for query in pair.later_queries]
                pair.later_queries = []
                return
        pair.fused = self._fuse(pair)
        reason = self._settings.reason
        if reason and pair.fused.value >= reason.above:  # never true of NaN
            best = highest(pair.fused.scores.values()).id
            pair.waits_for_reason = True
            self._ask(pair, [pair.reason_queries[best]])
        pair.later_queries, pair.reason_queries = [], {}
        self._release(pair.segment)

    def _ask(self, pair: _Pair, queries: Sequence[Query]) -> None:
        for query in queries:
            self._open[query.id] = pair
            place = pair.segment.order, pair.segment.pairs.index(pair)
            self._follow_ups.append((place, query))
        pair.n_questions += len(queries)

    def _release(self, waiting: _Waiting) -> None:
        """Count the images of a segment as freed when nothing more is asked about it."""
        if waiting.is_complete:
            self.held_bytes -= waiting.nbytes
            waiting.nbytes = 0

    def _note(self, score: Score) -> None:
        """Note what the report tells of a score; in planned order, because answers arrive in any order."""
        if math.isnan(score.value) and not self.unreadable_example:
            words = remove_thinking(score.answer) or (ONLY_THOUGHTS if starts_with_thinking(score.answer) else "")
            self.unreadable_example = words[:80]

    def _finish(self, waiting: _Waiting) -> Iterator[CollectedScore]:
        by_text = {pair.text: pair for pair in waiting.pairs}
        segment = waiting.segment
        for text in self._settings.texts_of(segment.video) if segment.priorities else by_text:
            pair = by_text.get(text)
            if pair is None or pair.fused is None:
                yield CollectedScore(unasked_score(segment, text, self._settings), 0)
                continue
            for query_id in pair.ids:
                self._note(pair.scores[query_id])
            yield CollectedScore(pair.fused, pair.n_questions)

    def _fuse(self, pair: _Pair) -> SegmentScore:
        segment, numbers = pair.segment.segment, pair.segment.segment.frame_numbers[pair.text]
        scores = per_context(pair.scores[query_id] for query_id in pair.ids)
        if pair.later_queries:
            unasked = _unasked_contexts(segment.video, segment.index, pair.text, self._settings)
            scores = {name: scores.get(name, score) for name, score in unasked.items()}
        rated = segment.priorities.get(pair.text)
        return SegmentScore(
            video=segment.video,
            segment=segment.index,
            start=segment.start,
            stop=segment.stop,
            times_s=segment.times_s,
            text=pair.text,
            scores=scores,
            value=fuse({name: score.value for name, score in scores.items()}, self._settings.weights),
            key_frame=numbers.key_frame,
            sequence=numbers.sequence,
            priorities=rated.by_gate if rated else {},
        )


def unasked_score(segment: PlannedSegment, text: str, settings: RunSettings) -> SegmentScore:
    """Return the score of a segment and text that the backend was not asked about: that of its gates."""
    rated = segment.priorities[text]
    return SegmentScore(
        video=segment.video,
        segment=segment.index,
        start=segment.start,
        stop=segment.stop,
        times_s=segment.times_s,
        text=text,
        scores=_unasked_contexts(segment.video, segment.index, text, settings),
        value=unasked_value(rated.combined, settings.rule.threshold),
        priorities=rated.by_gate,
    )


def _unasked_contexts(video: Video, index: int, text: str, settings: RunSettings) -> dict[str, Score]:
    return {name: Score(QueryId(video.id, index, text, name), math.nan, asked=False) for name in settings.weights}


def _add_reason(score: SegmentScore, reason: Answer) -> SegmentScore:
    scores = {
        name: replace(part, answer=reason.text) if part.id == reason.id else part for name, part in score.scores.items()
    }
    return replace(score, scores=scores)
