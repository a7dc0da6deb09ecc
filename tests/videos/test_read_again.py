"""Segments that were rated are read again as they were, alone or together, in files of many kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from anyanomaly.builtin.read_video import VideoReader
from anyanomaly.builtin.reader_options import VideoReaderOptions
from anyanomaly.core.segment import segments
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.planned import unasked_segment
from anyanomaly.engine.rated import SegmentReader, SegmentRecord
from anyanomaly.errors import VideoError
from anyanomaly.types import Segment
from tests.engine.parts import settings
from tests.videos.reading import read
from tests.videos.test_sections import KINDS

LENGTH = 8


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("kind", ["open GOP", "VP9", "varying rate", "gap", "joined", "damaged", "interlaced"])
def test_segments_are_read_again_as_they_were(
    kind: str, every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anyanomaly.engine.rated.MERGE_S", 0.2)
    whole = read(KINDS[kind](tmp_path), every=every)
    expected = list(segments(whole.frames, length=LENGTH, every=every))
    records = {segment.index: SegmentRecord.of(segment, unasked_segment(segment, {})) for segment in expected}
    numbers = sorted(records)
    reader = VideoReader(VideoReaderOptions(max_side=0))
    again = SegmentReader(settings(segment_frames=LENGTH, every=every), Clock())
    for chosen in ([numbers[0]], [numbers[-1]], numbers[2:4], [numbers[1], numbers[5], numbers[6]], numbers):
        parts = list(again.read(reader, whole.video, [records[number] for number in chosen]))
        assert [part.index for part in parts] == chosen
        for part in parts:
            assert_equal(part, next(segment for segment in expected if segment.index == part.index))


def test_a_video_that_was_replaced_is_not_taken_for_the_same(tmp_path: Path) -> None:
    path = KINDS["closed GOP"](tmp_path)
    whole = read(path)
    expected = list(segments(whole.frames, length=LENGTH))
    records = [SegmentRecord.of(segment, unasked_segment(segment, {})) for segment in expected]
    KINDS["varying rate"](tmp_path).replace(path)
    again = SegmentReader(settings(segment_frames=LENGTH), Clock())
    with pytest.raises(VideoError, match="could not be read again, so 2 of its segments are not asked about: it has"):
        list(again.read(VideoReader(VideoReaderOptions(max_side=0)), whole.video, records[3:5]))


def assert_equal(part: Segment, segment: Segment) -> None:
    assert (part.start, part.stop, part.video) == (segment.start, segment.stop, segment.video)
    assert (part.times_s == segment.times_s).all()
    for frame, right_frame in zip(part.frames, segment.frames, strict=True):
        assert (frame.index, frame.time_s) == (right_frame.index, right_frame.time_s)
        assert (frame.image == right_frame.image).all(), f"frame {frame.index} differs"
