"""Segments that gates have rated, and reading some of them again."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.planned import PlannedSegment
from anyanomaly.engine.settings import RunSettings
from anyanomaly.errors import VideoError
from anyanomaly.types import Frame, Segment, Video

MERGE_S = 10.0
"""Segments with at most this gap between them are read in one go: a reader starts at a key frame before a section."""
READ_THROUGH = 0.3
"""A reader that needs more than this fraction of the time of decoding up to a section does not skip what is before."""
MIN_SKIPPED = 5000
"""Frames before a section from which that can be told."""


@dataclass(frozen=True, slots=True, eq=False)
class SegmentRecord:
    """What is kept of a segment that was rated: its priorities, and no images."""

    segment: PlannedSegment  # without queries
    frames: npt.NDArray[np.int64]  # (n_read,): numbers of the frames that were read
    first_s: float  # times of the first and the last of them, seconds
    last_s: float

    @classmethod
    def of(cls, segment: Segment, planned: PlannedSegment) -> SegmentRecord:
        """Return a segment without its images."""
        numbers = np.array([frame.index for frame in segment.frames], dtype=np.int64)
        return cls(planned, numbers, segment.frames[0].time_s, segment.frames[-1].time_s)


class SegmentReader:
    """Reads chosen segments of videos again; they have the same frames, numbers and times as the first time."""

    def __init__(self, settings: RunSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._reads_through: set[str] = set()  # ids of the videos whose reader does not skip what is before a section

    def read(self, reader: Reader[Options], video: Video, records: Sequence[SegmentRecord]) -> Iterator[Segment]:
        """Yield segments of one video, in the order of time.

        :raises VideoError: at the end, when some of them could not be read as they were the first time.
        """
        problems: list[str] = []
        n_yielded = 0
        spans = [list(records)] if video.id in self._reads_through else _merge(records)
        while spans:
            span = spans.pop(0)
            for segment in self._read_span(reader, video, span, problems):
                n_yielded += 1
                yield segment
            if video.id in self._reads_through and len(spans) > 1:
                spans = [[segment for span in spans for segment in span]]
        if n_missing := len(records) - n_yielded:
            reason = problems[0] if problems else "it has changed since it was rated."
            raise VideoError(
                f"{video.uri} could not be read again, so {n_missing} of its segments are not asked about: {reason}"
            )

    def _read_span(
        self, reader: Reader[Options], video: Video, span: Sequence[SegmentRecord], problems: list[str]
    ) -> Iterator[Segment]:
        section = replace(video, section=(span[0].first_s, math.nextafter(span[-1].last_s, math.inf)))
        read_frames = reader.frames(section, every=self._settings.frame_step(video))
        frames = _Timed(self._clock.time_items("decode", read_frames))
        waiting = deque(span)
        images: list[Frame] = []  # frames so far of the first segment that waits
        try:
            for frame in frames:
                while frame.index > waiting[0].frames[-1]:  # its last frame is missing
                    waiting.popleft()
                    images = []
                    if not waiting:
                        return
                if frame.index >= waiting[0].frames[0]:
                    images.append(replace(frame, video=video))
                if frame.index == waiting[0].frames[-1]:
                    if segment := _restore(waiting.popleft(), images):
                        yield segment
                    images = []
                    if not waiting:
                        return
        except VideoError as error:
            problems.append(str(error))
        finally:
            frames.close()
            if frames.reads_through:
                self._reads_through.add(video.id)


class _Timed(Iterator[Frame]):
    """The frames of a section, with how long the first of them took."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self._first_s = 0.0
        self._later_s = 0.0
        self._numbers: list[int] = []  # of the first and the last frame

    def __next__(self) -> Frame:
        start_s = time.perf_counter()
        frame = next(self._frames)
        duration_s = time.perf_counter() - start_s
        if self._numbers:
            self._later_s += duration_s
            self._numbers[1] = frame.index
        else:
            self._first_s, self._numbers = duration_s, [frame.index, frame.index]
        return frame

    @property
    def reads_through(self) -> bool:
        """Whether the frames before the section seem to have been decoded."""
        if not self._numbers or self._numbers[0] < MIN_SKIPPED or self._numbers[1] == self._numbers[0]:
            return False
        s_per_frame = self._later_s / (self._numbers[1] - self._numbers[0])
        return self._first_s > READ_THROUGH * s_per_frame * self._numbers[0]

    def close(self) -> None:
        """Close the reader's iterator."""
        if close := getattr(self._frames, "close", None):
            close()


def _restore(rated: SegmentRecord, frames: Sequence[Frame]) -> Segment | None:
    """Return a segment as it was when it was rated; None: other frames were read."""
    is_same = [frame.index for frame in frames] == rated.frames.tolist()
    if not is_same or (frames[0].time_s, frames[-1].time_s) != (rated.first_s, rated.last_s):
        return None
    planned = rated.segment
    return Segment(planned.video, planned.index, planned.start, planned.stop, tuple(frames), planned.times_s)


def _merge(records: Sequence[SegmentRecord]) -> list[list[SegmentRecord]]:
    """Return segments in spans that are read in one go."""
    spans: list[list[SegmentRecord]] = []
    for segment in records:
        if spans and segment.first_s - spans[-1][-1].last_s <= MERGE_S:
            spans[-1].append(segment)
        else:
            spans.append([segment])
    return spans
