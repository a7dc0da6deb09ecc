"""What of a frame the selectors compare with the text: the whole, or its windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anyanomaly.builtin.options import NearestOptions
from anyanomaly.builtin.selectors import GroupThenTopSelector, TopSelector, TopThenGroupSelector
from anyanomaly.testing.fakes import FakeEncoder
from anyanomaly.testing.samples import TEXT, sample_segment
from anyanomaly.types import Segment

TINTED, SMALL = 5, 16


def segment() -> Segment:
    """Grey frames; one a little red all over, one with a red thing that takes a hundredth of it."""
    frames = []
    for at, frame in enumerate(sample_segment().frames):
        image = np.full((240, 240, 3), 90, dtype=np.uint8)
        if at == TINTED:
            image[..., 0] = 130
        if at == SMALL:
            image[100:124, 200:224] = (255, 0, 0)
        frames.append(replace(frame, image=image))
    return replace(sample_segment(), frames=tuple(frames))


@pytest.mark.parametrize("kind", [TopSelector, GroupThenTopSelector, TopThenGroupSelector])
@pytest.mark.parametrize(("windows", "primary"), [((), TINTED), ((48,), SMALL), ((120, 48), SMALL), ((240,), TINTED)])
def test_windows_find_what_is_small_in_a_frame(kind: type[TopSelector], windows: tuple[int, ...], primary: int) -> None:
    selector = kind(NearestOptions(windows=windows))
    selector.encoder = FakeEncoder()
    chosen = selector.select(segment(), TEXT)
    assert chosen.primary == primary
    assert primary in chosen.sequence
    n_windows = sum((240 // size) ** 2 for size in windows)
    assert len(selector.crops(segment())) == 24 * (n_windows or 1)
