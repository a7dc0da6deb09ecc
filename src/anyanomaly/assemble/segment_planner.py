"""Plan one segment, for `show`."""

from __future__ import annotations

from collections.abc import Iterator

from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.engine.plan import Planner, read_notices
from anyanomaly.engine.planned import RatedSegment, VideoEnd
from anyanomaly.types import Video


class SegmentPlanner(Planner):
    """Plans one segment in place of all segments of the video; it has been read, and rated, before."""

    rated_segment: RatedSegment

    def rated_groups(self, reader: Reader[Options], video: Video) -> Iterator[list[RatedSegment] | VideoEnd]:
        """Yield the segment, then the end of its video."""
        yield [self.rated_segment]
        yield VideoEnd(video, "", read_notices(reader, video))
