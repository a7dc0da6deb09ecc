"""The contract of selectors (L clauses)."""

from __future__ import annotations

from typing import Any

import pytest

from anyanomaly.api import Options, Selector
from anyanomaly.testing.contracts.component import ComponentContract
from anyanomaly.testing.fakes import FakeEncoder
from anyanomaly.testing.samples import TEXT, sample_segment


class SelectorContract(ComponentContract):
    """Fixture ``component``: a selector, not loaded."""

    @pytest.fixture
    def selector(self, component: Any) -> Selector[Options]:
        """Return the selector, loaded, with an encoder."""
        component.encoder = FakeEncoder()
        component.load()
        selector: Selector[Options] = component
        return selector

    @pytest.mark.parametrize("n_frames", [1, 2, 3, 5, 23, 24])
    def test_l1_l3_positions_are_in_range_and_ascend(self, selector: Selector[Options], n_frames: int) -> None:
        key_frames = selector.select(sample_segment(n_frames), TEXT)
        assert 0 <= key_frames.primary < n_frames
        assert key_frames.sequence
        assert sorted(set(key_frames.sequence)) == list(key_frames.sequence)
        assert 0 <= key_frames.sequence[0] <= key_frames.sequence[-1] < n_frames

    def test_l2_l5_the_same_input_gives_the_same_output_after_other_segments(self, selector: Selector[Options]) -> None:
        first = selector.select(sample_segment(), TEXT)
        selector.select(sample_segment(23, index=1), TEXT)
        assert selector.select(sample_segment(), TEXT) == first

    def test_l4_the_segment_is_not_changed(self, selector: Selector[Options]) -> None:
        segment = sample_segment()
        before = [frame.image.copy() for frame in segment.frames]
        selector.select(segment, TEXT)
        assert all((frame.image == image).all() for frame, image in zip(segment.frames, before, strict=True))
