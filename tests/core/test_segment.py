"""From frames to segments."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.core.segment import segments
from tests.core.values import frames, video


@given(n_frames=st.integers(1, 100), length=st.integers(1, 30), every=st.integers(1, 7))
def test_segments_cover_every_frame_once_in_order(n_frames: int, length: int, every: int) -> None:
    source = video(n_frames=n_frames)
    cut = list(segments(frames(source, range(0, n_frames, every)), length=length, every=every))
    covered = [index for segment in cut for index in range(segment.start, segment.stop)]
    if every <= length:
        assert covered == list(range(n_frames))
    assert covered == sorted(set(covered))
    for segment in cut:
        assert segment.index == segment.start // length
        np.testing.assert_allclose(segment.times_s, np.arange(segment.start, segment.stop) / source.fps)


@given(
    n_frames=st.integers(1, 60),
    wrong_count=st.none() | st.integers(0, 120),
    length=st.integers(1, 30),
    every=st.integers(1, 7),
)
def test_the_readers_end_counts_and_not_the_containers(
    n_frames: int, wrong_count: int | None, length: int, every: int
) -> None:
    every = min(every, length)
    read = frames(video(n_frames=wrong_count), range(0, n_frames, every))
    read[-1] = replace(read[-1], end=n_frames)
    cut = list(segments(read, length=length, every=every))
    assert [index for segment in cut for index in range(segment.start, segment.stop)] == list(range(n_frames))


def test_a_section_starts_at_its_first_frame_within_the_borders_of_the_whole_video() -> None:
    cut = list(segments(frames(video(), range(30, 60)), length=24, cut_head=True))
    assert [(segment.index, segment.start, segment.stop) for segment in cut] == [(1, 30, 48), (2, 48, 60)]


@given(n_frames=st.integers(1, 100), length=st.integers(1, 30))
def test_the_published_way_drops_the_tail(n_frames: int, length: int) -> None:
    cut = list(segments(frames(video(n_frames=n_frames), range(n_frames)), length=length, keep_tail=False))
    assert len(cut) == n_frames // length


def test_a_segment_comes_as_soon_as_it_is_full() -> None:
    def endless():
        yield from frames(video(live=True), range(24))
        raise AssertionError("asked for more than one segment's frames")

    assert next(segments(endless(), length=24)).stop == 24


def test_unreadable_frames_leave_their_segment_a_score_and_times() -> None:
    read = [index for index in range(72) if index not in (3, *range(20, 50))]
    cut = list(segments(frames(video(n_frames=72), read), length=24))
    assert [(segment.index, segment.start, segment.stop) for segment in cut] == [(0, 0, 24), (2, 48, 72)]
    np.testing.assert_allclose(cut[0].times_s, np.arange(24) / 10)


def test_a_container_that_counts_too_many_frames_adds_none() -> None:
    cut = list(segments(frames(video(n_frames=40), range(30)), length=24))
    assert cut[-1].stop == 30


def test_an_empty_source_has_no_segments() -> None:
    assert list(segments([], length=24)) == []


def test_a_segment_cannot_be_written_to() -> None:
    segment = next(segments(frames(video(), range(2)), length=2))
    with pytest.raises(ValueError, match="read-only"):
        segment.frames[0].image[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        segment.times_s[0] = 1
