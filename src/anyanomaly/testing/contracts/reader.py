"""The contract of readers (R clauses)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest

from anyanomaly.api import Options, Reader
from anyanomaly.core.segment import cut_section
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

    @pytest.mark.parametrize("every", [1, 4])
    def test_r8_a_section_has_the_frames_of_the_whole(self, loaded: Reader[Options], uri: str, every: int) -> None:
        video = loaded.probe(uri)
        all_frames = list(islice(loaded.frames(video, every=every), 28 // every))
        begin, last = all_frames[len(all_frames) // 2], all_frames[-1]
        section = replace(video, section=(begin.time_s, last.time_s))
        frames = [
            (frame.index, frame.time_s, frame.image.tobytes())
            for frame in islice(cut_section(loaded.frames(section, every=every), section.section), 28)
        ]
        right = [frame for frame in all_frames if begin.time_s <= frame.time_s < last.time_s]
        assert frames == [(frame.index, frame.time_s, frame.image.tobytes()) for frame in right]

    @pytest.mark.parametrize("every", [1, 4])
    def test_r9_only_the_last_frame_says_where_the_video_ends(
        self, loaded: Reader[Options], uri: str, every: int
    ) -> None:
        video = loaded.probe(uri)
        if video.live:
            pytest.skip("a live video may have no end")
        end: int | None = None
        for frame in loaded.frames(video, every=every):
            assert end is None
            end = frame.end
            assert end is None or frame.index < end <= frame.index + every

    def test_r10_notices_are_one_line_each_and_never_fail(self, loaded: Reader[Options], uri: str) -> None:
        video = loaded.probe(uri)
        for _ in islice(loaded.frames(video), 3):
            assert all(notice and "\n" not in notice for notice in loaded.notices(video))

    def test_r7_a_missing_source_is_named(self, loaded: Reader[Options], missing: str) -> None:
        with pytest.raises(VideoError, match=missing.split("/")[-1].split(".")[0]):
            loaded.probe(missing)
