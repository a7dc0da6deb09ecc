"""The contract of readers (R clauses)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest

from anyanomaly.api import Options, Reader
from anyanomaly.errors import VideoError
from anyanomaly.testing.contracts.component import ComponentContract


class ReaderContract(ComponentContract):
    """Fixtures ``component``: a reader; ``uri``: a source of 30 frames or more; ``missing``: no existing source."""

    @pytest.fixture
    def uri(self) -> str:
        """Return a source that can be read."""
        raise AssertionError("the reader contract needs the fixture `uri`")

    @pytest.fixture
    def missing(self) -> str:
        """Return a source that does not exist."""
        return "no/such/source.mp4"

    @pytest.fixture
    def loaded(self, component: Any) -> Iterator[Reader[Options]]:
        """Yield the reader, loaded."""
        with component:
            yield component

    def test_r1_probe_agrees_with_the_frames(self, loaded: Reader[Options], uri: str) -> None:
        video = loaded.probe(uri)
        frames = list(islice(loaded.frames(video), 30))
        assert all(frame.image.shape == (video.height, video.width, 3) for frame in frames)
        assert video.n_frames is None or video.n_frames >= len(frames)
        assert video.fps > 0

    @pytest.mark.parametrize("every", [1, 4])
    def test_r2_r3_indices_ascend_and_times_never_decrease(self, loaded: Reader[Options], uri: str, every: int) -> None:
        frames = list(islice(loaded.frames(loaded.probe(uri), every=every), 7))
        assert [frame.index for frame in frames] == list(range(0, 7 * every, every))
        assert all(frame.time_s <= following.time_s for frame, following in pairwise(frames))

    def test_r4_images_are_rgb_bytes(self, loaded: Reader[Options], uri: str) -> None:
        frame = next(iter(loaded.frames(loaded.probe(uri))))
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous

    def test_r5_start_gives_the_frame_that_reading_through_gives(self, loaded: Reader[Options], uri: str) -> None:
        video = loaded.probe(uri)
        twelfth = list(islice(loaded.frames(video), 12))[-1]
        first = next(iter(loaded.frames(video, start=11)))
        assert (first.index, first.time_s) == (twelfth.index, twelfth.time_s)
        assert (first.image == twelfth.image).all()

    def test_r6_a_video_may_be_left_early_and_read_twice_at_once(self, loaded: Reader[Options], uri: str) -> None:
        video = loaded.probe(uri)
        iterators = iter(loaded.frames(video)), iter(loaded.frames(video))
        first, second = map(next, iterators)
        assert (first.image == second.image).all()
        for frames in iterators:
            if close := getattr(frames, "close", None):
                close()

    def test_r7_a_missing_source_is_named(self, loaded: Reader[Options], missing: str) -> None:
        with pytest.raises(VideoError, match=missing.split("/")[-1].split(".")[0]):
            loaded.probe(missing)
