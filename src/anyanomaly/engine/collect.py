"""Turn answers in any order into segment scores in the order in which the segments were planned."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from anyanomaly.core.fuse import fuse, per_context
from anyanomaly.core.thinking import remove_thinking
from anyanomaly.engine.plan import PlannedSegment, VideoEnd
from anyanomaly.engine.read_score import read_score
from anyanomaly.engine.settings import Scoring
from anyanomaly.engine.stored_answers import unknown_answer
from anyanomaly.errors import BackendError
from anyanomaly.kit import starts_with_thinking
from anyanomaly.types import Answer, QueryId, Score, SegmentScore

ONLY_THOUGHTS = "<think>"
"""Stands for an answer that ended before the model had finished to think."""


@dataclass(slots=True)
class _Waiting:
    """A segment that waits for answers."""

    segment: PlannedSegment  # without its queries, so that their images are freed once they are answered
    ids: tuple[QueryId, ...]  # in planned order: text by text, context by context
    scores: dict[QueryId, Score] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return len(self.scores) == len(self.ids)


class Collector:
    """Collects scores until a segment has all of them, and returns the segments in planned order."""

    def __init__(self, weights: Mapping[str, float], scoring: Scoring) -> None:
        self._weights = weights
        self._scoring = scoring
        self._order: deque[_Waiting | VideoEnd] = deque()
        self._open: dict[QueryId, _Waiting] = {}
        self.n_answers = 0
        self.n_unreadable = 0
        self.unreadable_example = ""
        self._masses: tuple[int, float] = (0, 0.0)  # number and sum
        self.prompt_tokens = self.output_tokens = 0  # of the answers that report them

    def expect(self, planned: PlannedSegment | VideoEnd) -> None:
        """Register a segment, or the end of a video, in planned order."""
        if isinstance(planned, VideoEnd):
            self._order.append(planned)
            return
        waiting = _Waiting(
            replace(planned, queries=(), reason_queries=(), drafts={}), tuple(query.id for query in planned.queries)
        )
        self._order.append(waiting)
        self._open.update(dict.fromkeys(waiting.ids, waiting))

    def add(self, answer: Answer) -> None:
        """Add the score of an answer to its segment.

        :raises BackendError: when no query waits for it.
        """
        waiting = self._open.pop(answer.id, None)
        if waiting is None:
            raise unknown_answer(answer)
        score = read_score(answer, self._scoring)
        self.n_answers += 1
        self.prompt_tokens += answer.prompt_tokens or 0
        self.output_tokens += answer.output_tokens or 0
        if math.isnan(score.value):
            self.n_unreadable += 1
        waiting.scores[answer.id] = score

    @property
    def mean_mass(self) -> float | None:
        """The mean probability of the allowed answers, 0 to 1; None when scores are read from words."""
        n_masses, total = self._masses
        return total / n_masses if n_masses else None

    def ready(self) -> Iterator[SegmentScore | VideoEnd]:
        """Yield segment scores per text and ends of videos, up to the first segment that still waits for an answer.

        The order does not depend on the order of the answers, so result files are equal byte for byte.
        """
        while self._order:
            first = self._order[0]
            if isinstance(first, _Waiting) and not first.complete:
                return
            self._order.popleft()
            if isinstance(first, VideoEnd):
                yield first
            else:
                yield from self._fuse(first)

    def check_complete(self) -> None:
        """:raises BackendError: when the backend ended without an answer to every query."""
        if self._open:
            raise BackendError(f"The backend did not answer {len(self._open)} queries. Report this bug to its author.")

    def _note(self, score: Score) -> None:
        """Note what the report tells of a score; in planned order, because answers arrive in any order."""
        if math.isnan(score.value) and not self.unreadable_example:
            words = remove_thinking(score.answer) or (ONLY_THOUGHTS if starts_with_thinking(score.answer) else "")
            self.unreadable_example = words[:80]
        if score.mass is not None:
            n_masses, total = self._masses
            self._masses = (n_masses + 1, total + score.mass)

    def _fuse(self, waiting: _Waiting) -> Iterator[SegmentScore]:
        segment = waiting.segment
        by_text: dict[str, list[Score]] = {}
        for query_id in waiting.ids:
            score = waiting.scores[query_id]
            by_text.setdefault(query_id.text, []).append(score)
            self._note(score)
        for text, parts in by_text.items():
            scores = per_context(parts)
            numbers = segment.frame_numbers[text]
            yield SegmentScore(
                video=segment.video,
                segment=segment.index,
                start=segment.start,
                stop=segment.stop,
                times_s=segment.times_s,
                text=text,
                scores=scores,
                value=fuse({name: score.value for name, score in scores.items()}, self._weights),
                key_frame=numbers.key_frame,
                sequence=numbers.sequence,
            )
