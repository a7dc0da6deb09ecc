"""A reason in words where a segment's score is high, when scores come from log-probabilities.

Within one stream no query may depend on an answer, because a backend may take any number of queries before it answers.
So segments are grouped into chunks: one stream has the queries for the scores of a chunk, and a second stream, after
the first has ended, those for the reasons of its segments above the threshold. The images of a chunk stay in memory
until its scores are known. A chunk therefore ends when its images fill a quarter of the look-ahead, and after every
segment of a live video, whose events must not wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import TypeAlias

from anyanomaly.core.fuse import highest
from anyanomaly.engine.plan import PlannedSegment, VideoEnd
from anyanomaly.engine.settings import ReasonRule
from anyanomaly.types import Answer, Query, QueryId, SegmentScore

Item: TypeAlias = SegmentScore | VideoEnd


def split_into_chunks(
    planned: Iterable[PlannedSegment | VideoEnd], max_bytes: int
) -> Iterator[Iterator[PlannedSegment | VideoEnd]]:
    """Yield a stream in chunks, each to be read to its end before the next; one item may be above ``max_bytes``."""
    stream = iter(planned)
    for first in stream:
        yield _read_chunk(chain([first], stream), max_bytes)


def _read_chunk(stream: Iterator[PlannedSegment | VideoEnd], max_bytes: int) -> Iterator[PlannedSegment | VideoEnd]:
    n_bytes = 0
    for item in stream:
        yield item
        n_bytes += item.nbytes if isinstance(item, PlannedSegment) else 0
        if n_bytes >= max_bytes or item.video.live:
            return


class ReasonQueue:
    """Keeps outcomes in planned order: those from the first that needs a reason wait until the reasons are known."""

    def __init__(self, rule: ReasonRule) -> None:
        self._rule = rule
        self._queries: dict[tuple[str, int, str], dict[QueryId, Query]] = {}  # by video, segment and text
        self._waiting: list[Item] = []
        self._to_ask: list[Query] = []

    def expect(self, planned: PlannedSegment) -> None:
        """Keep the queries for reasons of a segment until its scores are known."""
        for query in planned.reason_queries:
            self._queries.setdefault(query.id[:3], {})[query.id] = query

    def add(self, item: Item) -> bool:
        """Add the next item in planned order, and return whether it waits in the queue."""
        if isinstance(item, SegmentScore):
            best = highest(item.scores.values()).id
            queries = self._queries.pop(best[:3])
            if item.value >= self._rule.above:  # never true of NaN
                self._to_ask.append(queries[best])
                self._waiting.append(item)
                return True
        if self._waiting:
            self._waiting.append(item)
        return bool(self._waiting)

    def ask(self, answer: Callable[[Iterable[Query]], Iterator[Answer]]) -> Iterator[Item]:
        """Ask for the reasons of the chunk, and yield the waiting items with them; the queue is empty afterwards."""
        reasons = {reply.id: reply.text for reply in answer(self._to_ask)} if self._to_ask else {}
        for item in self.clear():
            yield _add_reasons(item, reasons) if isinstance(item, SegmentScore) else item

    def clear(self) -> list[Item]:
        """Return the waiting items without reasons; the queue is empty afterwards."""
        waiting, self._waiting, self._to_ask = self._waiting, [], []
        return waiting


def _add_reasons(score: SegmentScore, reasons: dict[QueryId, str]) -> SegmentScore:
    scores = {
        name: replace(part, answer=reasons[part.id]) if part.id in reasons else part
        for name, part in score.scores.items()
    }
    return replace(score, scores=scores)
