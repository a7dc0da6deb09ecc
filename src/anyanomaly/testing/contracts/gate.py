"""The contract of gates (G clauses)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from anyanomaly.api import Gate, Options
from anyanomaly.testing.contracts.component import ComponentContract
from anyanomaly.testing.fakes import FakeBackend, FakeEncoder
from anyanomaly.testing.samples import sample_segment
from anyanomaly.types import Answer, EventText, FloatArray, Frame, Query, Segment, Video

TEXTS = tuple(EventText(text, ("a red square", "a blue dog")) for text in ("a red square", "a blue dog"))
N_SEGMENTS = 6


class GateContract(ComponentContract):
    """Fixture ``component``: a gate, not loaded."""

    @pytest.fixture
    def gate(self, component: Any) -> Iterator[Gate[Options]]:
        """Yield the gate, loaded, with an encoder and a backend to ask."""
        component.encoder = FakeEncoder()
        component.ask = _ask
        with component:
            yield component

    def test_g1_a_priority_per_segment_and_text(self, gate: Gate[Options]) -> None:
        for n_texts in (1, 2):
            priorities = _rate(gate, sample_segments(), [N_SEGMENTS], TEXTS[:n_texts])
            assert priorities.dtype == np.float32
            assert priorities.shape == (N_SEGMENTS, n_texts)
            assert ((priorities >= 0) & (priorities <= 1)).all()

    def test_g2_the_same_video_has_the_same_priorities_again(self, gate: Gate[Options]) -> None:
        first = _rate(gate, sample_segments(), [N_SEGMENTS])
        np.testing.assert_array_equal(_rate(gate, sample_segments(), [N_SEGMENTS]), first)

    @pytest.mark.parametrize("sizes", [[1] * N_SEGMENTS, [2, 3, 1], [5, 1]])
    def test_g3_the_same_priorities_whatever_the_groups_are(self, gate: Gate[Options], sizes: Sequence[int]) -> None:
        at_once = _rate(gate, sample_segments(), [N_SEGMENTS])
        np.testing.assert_allclose(_rate(gate, sample_segments(), sizes), at_once, atol=1e-5)

    def test_g4_a_text_has_the_same_priority_alone(self, gate: Gate[Options]) -> None:
        together = _rate(gate, sample_segments(), [N_SEGMENTS])
        for column, text in enumerate(TEXTS):
            alone = _rate(gate, sample_segments(), [N_SEGMENTS], [text])
            np.testing.assert_allclose(alone[:, 0], together[:, column], atol=1e-5)

    @pytest.mark.parametrize("n_frames", [1, 2, 3])
    def test_g5_segments_may_be_short(self, gate: Gate[Options], n_frames: int) -> None:
        assert np.isfinite(_rate(gate, sample_segments(n_frames), [N_SEGMENTS])).all()

    def test_g6_segments_may_have_gaps_between_them(self, gate: Gate[Options]) -> None:
        assert np.isfinite(_rate(gate, sample_segments()[::2], [3])).all()

    def test_g7_a_segment_is_not_changed(self, gate: Gate[Options]) -> None:
        segments = sample_segments()
        images = [frame.image.copy() for segment in segments for frame in segment.frames]
        gate.begin(segments[0].video)
        for segment in segments:
            assert all(crop.frame.image.any() for crop in gate.crops(segment))
        gate.rate(segments, TEXTS)
        frames = [frame for segment in segments for frame in segment.frames]
        assert all((frame.image == image).all() for frame, image in zip(frames, images, strict=True))

    def test_g8_another_video_begins_anew(self, gate: Gate[Options]) -> None:
        alone = _rate(gate, sample_segments(), [N_SEGMENTS])
        other = Video("other", "other.mp4", 10.0, None, 80, 60)
        _rate(gate, sample_segments(size=(80, 60), video=other), [N_SEGMENTS])
        np.testing.assert_array_equal(_rate(gate, sample_segments(), [N_SEGMENTS]), alone)

    def test_g9_a_live_video_is_rated_segment_by_segment(self, gate: Gate[Options]) -> None:
        live = Video("camera", "rtsp://camera", 25.0, None, 64, 48, live=True)
        segments = sample_segments(video=live)
        priorities = _rate(gate, segments, [1] * N_SEGMENTS)
        assert np.isfinite(priorities).all()


def sample_segments(
    n_frames: int = 24, *, size: tuple[int, int] = (64, 48), video: Video | None = None
) -> list[Segment]:
    """Return consecutive segments of a video in which a red square moves. Other parameters as `sample_segment`."""
    segments = [sample_segment(n_frames, index=index, size=size) for index in range(N_SEGMENTS)]
    if video is None:
        return segments
    return [
        replace(
            segment,
            video=video,
            frames=tuple(Frame(video, frame.index, frame.time_s, frame.image) for frame in segment.frames),
        )
        for segment in segments
    ]


def _rate(
    gate: Gate[Options], segments: Sequence[Segment], sizes: Sequence[int], texts: Sequence[EventText] = TEXTS
) -> FloatArray:
    """Return the priorities of a video whose segments come in groups of the given sizes."""
    gate.begin(segments[0].video)
    rows, start = [], 0
    for size in sizes:
        rows.append(gate.rate(segments[start : start + size], texts))
        start += size
    return np.concatenate(rows)


def _ask(queries: Iterable[Query]) -> Iterator[Answer]:
    """Answer as a small backend would, in another order than that of the questions."""
    with FakeBackend(batch_size=4, reorder=True) as backend:
        yield from backend.answer(queries)
