"""A reason in words where a segment's score is high, when scores come from log-probabilities.

Queries never depend on answers inside one stream: a backend may pull as far ahead as it likes. So the segments
are cut into windows. The scores of a window are asked in one stream, which ends; then the reasons of its segments
above the threshold in another. A window ends when its images fill a share of the look-ahead, because they are
kept until it is known who needs a reason, and after every segment of a live video, whose events must not wait.
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


def windows(
    planned: Iterable[PlannedSegment | VideoEnd], max_bytes: int
) -> Iterator[Iterator[PlannedSegment | VideoEnd]]:
    """Cut a stream into windows, each to be read to its end before the next; one item may pass ``max_bytes``."""
    stream = iter(planned)
    for first in stream:
        yield _window(chain([first], stream), max_bytes)


def _window(stream: Iterator[PlannedSegment | VideoEnd], max_bytes: int) -> Iterator[PlannedSegment | VideoEnd]:
    n_bytes = 0
    for item in stream:
        yield item
        n_bytes += item.nbytes if isinstance(item, PlannedSegment) else 0
        if n_bytes >= max_bytes or item.video.live:
            return


class Reasons:
    """Holds the segment scores of a window from the first that needs a reason on, until the reasons are there."""

    def __init__(self, rule: ReasonRule) -> None:
        self._rule = rule
        self._questions: dict[tuple[str, int, str], dict[QueryId, Query]] = {}  # of a segment and text
        self._held: list[Item] = []
        self._wanted: list[Query] = []

    def expect(self, planned: PlannedSegment) -> None:
        """Keep a segment's questions until its scores are known."""
        for query in planned.reasons:
            self._questions.setdefault(query.id[:3], {})[query.id] = query

    def hold(self, item: Item) -> bool:
        """Tell whether an item has to wait, and keep it then; take items in planned order."""
        if isinstance(item, SegmentScore):
            best = highest(item.scores.values()).id
            own = self._questions.pop(best[:3])
            if item.value >= self._rule.above:  # NaN is not
                self._wanted.append(own[best])
                self._held.append(item)
                return True
        if self._held:
            self._held.append(item)
        return bool(self._held)

    def told(self, answer: Callable[[Iterable[Query]], Iterator[Answer]]) -> Iterator[Item]:
        """Ask for the reasons, and yield what was held; nothing is held any more."""
        words = {each.id: each.text for each in answer(self._wanted)} if self._wanted else {}
        for item in self.left():
            yield _with_reasons(item, words) if isinstance(item, SegmentScore) else item

    def left(self) -> list[Item]:
        """Return what is held, as it is; nothing is held any more."""
        held, self._held, self._wanted = self._held, [], []
        return held


def _with_reasons(score: SegmentScore, words: dict[QueryId, str]) -> SegmentScore:
    told = {
        name: replace(each, rationale=words[each.id]) if each.id in words else each
        for name, each in score.scores.items()
    }
    return replace(score, scores=told)
