"""What every selector holds (L clauses)."""

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
        """Give the selector with an encoder."""
        component.encoder = FakeEncoder()
        component.load()
        selector: Selector[Options] = component
        return selector

    @pytest.mark.parametrize("n_frames", [1, 2, 3, 5, 23, 24])
    def test_l1_l3_positions_are_in_range_and_ascend(self, selector: Selector[Options], n_frames: int) -> None:
        chosen = selector.select(sample_segment(n_frames), TEXT)
        assert 0 <= chosen.primary < n_frames
        assert chosen.sequence
        assert sorted(set(chosen.sequence)) == list(chosen.sequence)
        assert 0 <= chosen.sequence[0] <= chosen.sequence[-1] < n_frames

    def test_l2_l5_the_same_again_and_independent_of_other_segments(self, selector: Selector[Options]) -> None:
        first = selector.select(sample_segment(), TEXT)
        selector.select(sample_segment(23, index=1), TEXT)
        assert selector.select(sample_segment(), TEXT) == first

    def test_l4_the_segment_stays_as_it_is(self, selector: Selector[Options]) -> None:
        segment = sample_segment()
        before = [frame.image.copy() for frame in segment.frames]
        selector.select(segment, TEXT)
        assert all((frame.image == image).all() for frame, image in zip(segment.frames, before, strict=True))
