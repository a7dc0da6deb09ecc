"""The context `frames`: which frames of a segment it shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anyanomaly.builtin.contexts import FramesContext
from anyanomaly.builtin.options import FramesOptions
from anyanomaly.testing.samples import TEXT, sample_segment
from anyanomaly.types import KeyFrames


@pytest.mark.parametrize(
    ("n_frames", "count", "places"),
    [(24, 4, [0, 8, 15, 23]), (24, 24, list(range(24))), (24, 2, [0, 23]), (3, 8, [0, 1, 2]), (1, 8, [0])],
)
def test_frames_of_the_whole_segment_are_shown_in_order(n_frames: int, count: int, places: list[int]) -> None:
    segment = replace(sample_segment(), frames=sample_segment().frames[:n_frames])
    context = FramesContext(FramesOptions(count=count)).build(segment, TEXT, KeyFrames(0, (0,)))
    assert len(context.images) == len(places)
    for image, place in zip(context.images, places, strict=True):
        np.testing.assert_array_equal(image, segment.frames[place].image)
    assert bool(context.hint) == (n_frames > 1)
