"""The caching encoder and the look-ahead."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from anyanomaly.engine.caching_encoder import CachingEncoder
from anyanomaly.engine.lookahead import LookAhead
from anyanomaly.testing.fakes import FakeEncoder, counting
from anyanomaly.testing.samples import sample_segment
from anyanomaly.types import Crop, Frame


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
