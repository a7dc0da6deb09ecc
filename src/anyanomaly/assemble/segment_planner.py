"""Find and plan one segment, for `show`."""

from __future__ import annotations

from collections.abc import Iterator

from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.engine.plan import Planner, Source, read_notices
from anyanomaly.engine.planned import RatedSegment, VideoEnd
from anyanomaly.errors import UsageError
from anyanomaly.types import Segment, Video


class SegmentPlanner(Planner):
    """Plans one segment in place of all segments of the video; it has been read, and rated, before."""

    rated_segment: RatedSegment

    def rated_groups(self, reader: Reader[Options], video: Video) -> Iterator[list[RatedSegment] | VideoEnd]:
        """Yield the segment, then the end of its video."""
        yield [self.rated_segment]
        yield VideoEnd(video, "", read_notices(reader, video))


def find_rated_segment(
    planner: Planner, source: Source, at_s: float | None = None, number: int | None = None
) -> RatedSegment:
    """Return a segment of a video, with its priorities: the one shown at ``at_s`` seconds, or that of a number from 0.

    Gates rate the segments up to it, because their priorities depend on what came before.

    :raises UsageError: when the video, or its section, has no such segment.
    """
    reader, video = source
    if at_s is not None and at_s < video.section[0]:
        raise UsageError(f"{at_s:g} s is before the start of the part to search, {video.section[0]:g} s (--start).")
    keeper = planner.gate_keeper(video)
    if keeper:
        keeper.begin(video)
    segment: Segment | None = None
    for segment in planner.segments(reader, video):
        priorities = keeper.rate([segment])[0] if keeper else {}
        if number is not None and segment.index == number:
            return segment, priorities
        if at_s is not None and segment.times_s[-1] + 1 / video.fps > at_s:
            return segment, priorities
    place = f"segment {number}" if number is not None else f"segment at {at_s:g} s"
    end = f"; its last is {segment.index}, which ends at {segment.times_s[-1]:.2f} s" if segment else ""
    raise UsageError(f"{video.uri} has no {place}{end}.")
