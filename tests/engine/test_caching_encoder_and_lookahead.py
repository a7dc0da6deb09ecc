"""The caching encoder and the look-ahead."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from anyanomaly.engine.caching_encoder import CachingEncoder
from anyanomaly.engine.lookahead import LookAhead, run_ahead
from anyanomaly.engine.planned import PlannedSegment
from anyanomaly.testing.fakes import FakeEncoder, counting
from anyanomaly.testing.samples import sample_segment
from anyanomaly.types import Crop, FloatArray, Frame, Video
from tests.engine.parts import ListReader, planner, settings


def test_equal_pixels_are_one_crop_and_altered_ones_another() -> None:
    encoder = CachingEncoder(FakeEncoder())
    frame = sample_segment(1).frames[0]
    copied = Frame(frame.video, 7, 1.0, frame.image.copy())
    altered = Frame(frame.video, frame.index, frame.time_s, 255 - frame.image)
    rows = encoder.encode_crops([Crop(frame), Crop(copied), Crop(altered), Crop(frame, None, "stretch")])
    assert encoder.n_crops == 3
    assert (rows[0] == rows[1]).all()
    assert not (rows[0] == rows[2]).all()


def test_memory_is_bounded_and_what_was_forgotten_is_encoded_again() -> None:
    encoder = CachingEncoder(FakeEncoder(), min_cached=10)
    crops = [Crop(frame) for frame in sample_segment(24).frames]
    first = np.concatenate([encoder.encode_crops(crops[at : at + 4]) for at in range(0, 24, 4)])
    assert encoder.n_crops == 24
    encoder.encode_crops(crops[-10:])
    assert encoder.n_crops == 24
    np.testing.assert_array_equal(encoder.encode_crops(crops[:1])[0], first[0])
    assert encoder.n_crops == 25


def test_looking_ahead_stays_within_its_bytes() -> None:
    source = counting(range(1000))
    with LookAhead(source, size=lambda item: 10, max_bytes=50) as ahead:
        for item in ahead:
            time.sleep(0.0005)
            assert source.n_pulled - item <= 5 + 2  # held, one being made, one in hand


def test_one_item_larger_than_the_bound_still_passes() -> None:
    with LookAhead(iter(range(3)), size=lambda item: 100, max_bytes=1) as ahead:
        assert list(ahead) == [0, 1, 2]


def test_what_the_source_raises_arrives_after_what_it_gave() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    got = []
    with LookAhead(source(), size=lambda item: 1, max_bytes=10) as ahead, pytest.raises(OSError, match="gone"):
        got.extend(iter_into(got, ahead))
    assert got == [1]


def iter_into(got: list[int], ahead: LookAhead[int]) -> list[int]:
    for item in ahead:
        got.append(item)  # noqa: PERF402  # item by item: the end raises
    return []


def test_leaving_early_stops_the_thread_and_closes_the_source() -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with LookAhead(source(), size=lambda item: 1, max_bytes=4) as ahead:
        next(iter(ahead))
    assert closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "anyanomaly-lookahead"]


@pytest.mark.parametrize("max_bytes", [0, 100])
def test_running_ahead_gives_the_same_items_and_uses_a_thread_unless_told_otherwise(max_bytes: int) -> None:
    threads, closed = set(), threading.Event()

    def source() -> Iterator[int]:
        try:
            for item in range(1000):
                threads.add(threading.get_ident())
                yield item
        finally:
            closed.set()

    items = source()
    with run_ahead(items, lambda item: 10, max_bytes) as ahead:
        assert [next(ahead) for _ in range(3)] == [0, 1, 2]
    items.close()
    assert closed.is_set()
    assert (threads == {threading.get_ident()}) is not bool(max_bytes)


class SignallingReader(ListReader):
    """Says when it reads the second segment."""

    def __init__(self, n_frames: int, segment_frames: int) -> None:
        super().__init__(n_frames)
        self.reads_second = threading.Event()
        self._segment_frames = segment_frames

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        for frame in super().frames(video, start=start, every=every):
            if frame.index >= self._segment_frames:
                self.reads_second.set()
            yield frame


def test_the_next_segment_is_read_while_the_encoder_works() -> None:
    class WaitingEncoder(FakeEncoder):
        def encode_crops(self, crops: Sequence[Crop]) -> FloatArray:
            assert reader.reads_second.wait(60)
            return super().encode_crops(crops)

    settings_ = settings()
    encoder = WaitingEncoder()
    encoder.batch_size = 1  # segment by segment
    reader = SignallingReader(60, settings_.segment_frames)
    plan = planner(settings_, encoder)[0].plan([(reader, reader.probe("v"))])
    assert len([item for item in plan if isinstance(item, PlannedSegment)]) == 5
    assert reader.n_open == 0
