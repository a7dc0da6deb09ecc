"""What the planner makes: segments with their queries, and the ends of videos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from anyanomaly.engine.evidence import DraftEvidence
from anyanomaly.engine.gating import SegmentPriorities
from anyanomaly.types import Context, EventText, KeyFrames, Notice, Query, Segment, TimeArray, Video


class FrameNumbers(NamedTuple):
    """Numbers of the frames that the contexts of one event text show."""

    key_frame: int  # the frame that is shown alone
    sequence: tuple[int, ...]  # the frames that show motion, ascending


@dataclass(frozen=True, slots=True, eq=False)
class PlannedSegment:
    """A segment without its frames, and the queries about it: text by text, context by context.

    A text of the run that has no query is not asked about: its gates have decided.
    """

    video: Video
    index: int
    start: int
    stop: int
    times_s: TimeArray  # (stop - start,), seconds
    queries: tuple[Query, ...] = ()
    later_queries: tuple[Query, ...] = ()  # of further contexts; asked where the score of the first is not clear
    reason_queries: tuple[Query, ...] = ()  # under the ids of the others; asked where the score is high
    frame_numbers: Mapping[str, FrameNumbers] = field(default_factory=dict)  # by event text
    drafts: Mapping[str, DraftEvidence] = field(default_factory=dict)  # by event text; empty: no sink needs evidence
    priorities: Mapping[str, SegmentPriorities] = field(default_factory=dict)  # by event text; empty: no gate

    @property
    def nbytes(self) -> int:
        """Bytes of the images of its queries; an image that several queries share counts once."""
        queries = (*self.queries, *self.later_queries)
        images = {id(image): image.nbytes for query in queries for image in query.images}
        return sum(images.values())

    def without(self, texts: Set[str]) -> PlannedSegment:
        """Return the segment without the queries about some event texts."""
        return replace(
            self,
            queries=tuple(query for query in self.queries if query.id.text not in texts),
            later_queries=tuple(query for query in self.later_queries if query.id.text not in texts),
            reason_queries=tuple(query for query in self.reason_queries if query.id.text not in texts),
            drafts={text: draft for text, draft in self.drafts.items() if text not in texts},
        )

    @property
    def has_follow_ups(self) -> bool:
        """Whether answers decide what else is asked."""
        return bool(self.later_queries or self.reason_queries)


@dataclass(frozen=True, slots=True)
class VideoEnd:
    """The end of a video."""

    video: Video
    problem: str = ""  # what could not be read, one sentence; empty: all was read
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TextContexts:
    """The key frames and contexts of one segment for one event text: what its queries show."""

    text: EventText
    key_frames: KeyFrames
    contexts: tuple[Context, ...]  # generator by generator, in the order of ``build``


RatedSegment: TypeAlias = tuple[Segment, Mapping[str, SegmentPriorities]]
"""A segment with its priorities by event text; without gates there are none."""

Choose: TypeAlias = Callable[[Segment, Mapping[str, SegmentPriorities]], Sequence[str]]
"""From a segment and its priorities by event text to the texts that the backend is asked about."""


class Task(NamedTuple):
    """What to ask about a segment."""

    segment: Segment
    texts: tuple[str, ...]  # event texts to ask about; none: no encoding and no context is needed
    priorities: Mapping[str, SegmentPriorities]  # by event text; empty: no gate


def unasked_segment(segment: Segment, priorities: Mapping[str, SegmentPriorities]) -> PlannedSegment:
    """Return a segment about which nothing is asked."""
    return PlannedSegment(
        segment.video, segment.index, segment.start, segment.stop, segment.times_s, priorities=priorities
    )
