"""Ask the backend a plan: its queries in one stream, and the queries that follow from their answers.

How follow-ups are asked depends on the backend, because it may pull any number of queries before it answers:

* Where answers do not depend on the queries around them (``Backend.forms_batches`` is false), a follow-up goes into the
  stream that runs, before the next planned segment. Nothing waits and nothing drains. What follows after the end of the
  plan is asked in a further stream.
* Where a backend forms batches, equal runs must form equal batches, or a run that is killed and started again would
  differ in the last digits. So segments are grouped into chunks: the follow-ups of a chunk are asked after all of its
  answers are known, in planned order. A chunk ends when its images fill a quarter of the look-ahead.

In both cases a stream ends after each segment of a live video, whose events must not wait, and when the images that
wait for a decision fill the look-ahead. With gates, it also ends after many segments that nobody asks about, so that
their scores are written.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TypeAlias

from anyanomaly.api.backend import Backend
from anyanomaly.api.options import Options
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.collect import CollectedScore, Collector
from anyanomaly.engine.evidence import EvidenceBook
from anyanomaly.engine.observer import Observer
from anyanomaly.engine.planned import PlannedSegment, VideoEnd
from anyanomaly.engine.settings import RunSettings
from anyanomaly.engine.stored_answers import StoredAnswers
from anyanomaly.types import Query

MAX_UNASKED = 100
"""Segments without a query after which the scores so far are yielded."""

Planned: TypeAlias = PlannedSegment | VideoEnd
Collected: TypeAlias = CollectedScore | VideoEnd


class Asker:
    """Asks the queries of plans, one plan after the other, and yields their scores in planned order."""

    def __init__(
        self,
        settings: RunSettings,
        backend: Backend[Options],
        answers: StoredAnswers,
        collector: Collector,
        evidence: EvidenceBook,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._settings = settings
        self._backend = backend
        self._answers = answers
        self._collector = collector
        self._evidence = evidence
        self._clock = clock
        self._observer = observer

    def ask(self, plan: Iterable[Planned]) -> Iterator[Collected]:
        """Yield the scores of a plan in planned order, and the ends of videos.

        :raises BackendError: when the backend fails.
        """
        stream = iter(plan)
        for first in stream:
            yield from self._answer(self._queries(self._read_chunk(chain([first], stream))))
            while follow_ups := self._collector.take_follow_ups():
                yield from self._answer(chain(follow_ups, self._follow_ups()))

    def reset(self) -> None:
        """Forget the plan at which the backend failed."""
        self._collector.reset()

    def _answer(self, queries: Iterable[Query]) -> Iterator[Collected]:
        with contextlib.closing(self._answers.answer(queries)) as answers:
            for answer in self._clock.time_items("answer", answers):
                if self._collector.add(answer):
                    self._evidence.add(answer)
                    self._observer.on_answer(answer)
                yield from self._collector.ready()
        self._collector.check_complete()
        yield from self._collector.ready()  # ends of videos, which no answer follows

    def _queries(self, plan: Iterator[Planned]) -> Iterator[Query]:
        """Yield the queries of a plan, and follow-ups as soon as they are known."""
        while True:
            yield from self._follow_ups()
            item = next(plan, None)
            if item is None:
                return
            self._collector.expect(item)
            if isinstance(item, PlannedSegment):
                self._evidence.expect(item)
                for query in item.queries:
                    yield query
                    yield from self._follow_ups()

    def _follow_ups(self) -> Iterator[Query]:
        """Yield the follow-ups that are known, unless the backend forms batches."""
        while not self._backend.forms_batches and (query := self._collector.next_follow_up()):
            yield query

    def _read_chunk(self, stream: Iterator[Planned]) -> Iterator[Planned]:
        """Yield the items of a plan up to the end of a chunk; without gates and follow-ups, all."""
        has_follow_ups = self._settings.clear is not None or self._settings.reason is not None
        max_bytes = self._settings.lookahead_bytes // 4 if self._backend.forms_batches else math.inf
        n_bytes = n_unasked = 0
        for item in stream:
            yield item
            if has_follow_ups:
                n_bytes += item.nbytes if isinstance(item, PlannedSegment) else 0
                if n_bytes >= max_bytes or self._collector.held_bytes >= self._settings.lookahead_bytes:
                    return
            if item.video.live and (has_follow_ups or self._settings.gate):
                return
            n_unasked = n_unasked + 1 if isinstance(item, PlannedSegment) and not item.queries else 0
            if n_unasked == MAX_UNASKED:
                return
