"""Key frames: by complete frames or windows of them, and in groups of frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anyanomaly.builtin.options import NearestOptions
from anyanomaly.builtin.selectors import GroupThenTopSelector, TopSelector, TopThenGroupSelector
from anyanomaly.testing.fakes import FakeEncoder
from anyanomaly.testing.samples import TEXT, sample_segment
from anyanomaly.types import EventText, KeyFrames, Segment

TINTED, SMALL = 5, 16


def segment() -> Segment:
    """Return grey frames, one of them slightly red, and one with a red square on a hundredth of its area."""
    frames = []
    for position, frame in enumerate(sample_segment().frames):
        image = np.full((240, 240, 3), 90, dtype=np.uint8)
        if position == TINTED:
            image[..., 0] = 130
        if position == SMALL:
            image[100:124, 200:224] = (255, 0, 0)
        frames.append(replace(frame, image=image))
    return replace(sample_segment(), frames=tuple(frames))


@pytest.mark.parametrize("kind", [TopSelector, GroupThenTopSelector, TopThenGroupSelector])
@pytest.mark.parametrize(("windows", "primary"), [((), TINTED), ((48,), SMALL), ((120, 48), SMALL), ((240,), TINTED)])
def test_windows_find_what_is_small_in_a_frame(kind: type[TopSelector], windows: tuple[int, ...], primary: int) -> None:
    selector = kind(NearestOptions(windows=windows))
    selector.encoder = FakeEncoder()
    key_frames = selector.select(segment(), TEXT)
    assert key_frames.primary == primary
    assert primary in key_frames.sequence
    n_windows = sum((240 // size) ** 2 for size in windows)
    assert len(selector.crops(segment())) == 24 * (n_windows or 1)


@pytest.mark.parametrize("kind", [TopSelector, GroupThenTopSelector, TopThenGroupSelector])
@pytest.mark.parametrize("windows", [(), (120,)])
def test_with_a_stride_every_nth_frame_is_a_candidate(kind: type[TopSelector], windows: tuple[int, ...]) -> None:
    selector = kind(NearestOptions(stride=5, windows=windows, encoding="dense"))
    selector.encoder = FakeEncoder()
    crops = selector.crops(segment())
    assert len(crops) == 5 * (4 if windows else 1)  # the frames 0, 5, 10, 15, 20
    assert {crop.frame.index for crop in crops} == {0, 5, 10, 15, 20}
    assert {crop.fit for crop in crops} == {"dense" if windows else "centre"}
    assert selector.select(segment(), TEXT).primary == TINTED  # and not the nearer frame 16, which is no candidate


@pytest.mark.parametrize("kind", [TopSelector, GroupThenTopSelector, TopThenGroupSelector])
@pytest.mark.parametrize("n_frames", [1, 2, 3, 5, 24, 30])
@pytest.mark.parametrize("stride", [1, 2, 6, 7, 12, 100])
def test_key_frames_are_valid_for_any_length_and_stride(kind: type[TopSelector], n_frames: int, stride: int) -> None:
    segment = shades([(37 * position) % 101 for position in range(n_frames)])
    selector = kind(NearestOptions(stride=stride))
    selector.encoder = FakeEncoder()
    key_frames = selector.select(segment, EventText("red", ("red",)))
    candidates = list(range(0, n_frames, stride))
    reds = [(37 * position) % 101 for position in candidates]
    assert key_frames.primary == candidates[reds.index(max(reds))]
    assert list(key_frames.sequence) == sorted(set(key_frames.sequence))
    assert 0 <= key_frames.sequence[0] <= key_frames.sequence[-1] < n_frames
    n_keys = min(4, len(candidates) if kind is TopSelector else n_frames)
    assert len(key_frames.sequence) == n_keys


def test_groups_with_a_stride() -> None:
    """Groups are of all frames; a group without a candidate has the frame at the primary frame's position."""
    reds = {0: 10, 8: 50, 16: 20, 20: 90}  # 24 frames, candidates 0, 8 and 16: none in the last group
    segment = shades([reds.get(position, 0) for position in range(24)])
    for kind, sequence in ((GroupThenTopSelector, (0, 8, 16, 20)), (TopThenGroupSelector, (2, 8, 14, 20))):
        selector = kind(NearestOptions(stride=8))
        selector.encoder = FakeEncoder()
        assert selector.select(segment, EventText("red", ("red",))) == KeyFrames(8, sequence)
    selector = TopSelector(NearestOptions(stride=8))
    selector.encoder = FakeEncoder()
    assert selector.select(segment, EventText("red", ("red",))) == KeyFrames(8, (0, 8, 16))


def shades(reds: list[int]) -> Segment:
    """Return a segment whose frames resemble "red" the more, the higher their number is in ``reds``."""
    frames = []
    for red, frame in zip(reds, sample_segment(len(reds)).frames, strict=True):
        image = np.full((48, 64, 3), 90, dtype=np.uint8)
        image[..., 0] += red
        frames.append(replace(frame, image=image))
    return replace(sample_segment(len(reds)), frames=tuple(frames))


@pytest.mark.parametrize(
    ("reds", "group_then_top", "top_then_group"),
    [
        # 30 frames: four groups of 7, and two frames in none
        ({3: 50, 8: 20, 20: 30, 21: 40, 27: 10}, (3, (3, 8, 20, 21)), (3, (3, 10, 17, 24))),
        ({3: 50, 8: 20, 20: 30, 25: 40, 29: 60}, (29, (3, 8, 20, 25)), (29, (1, 8, 15, 22))),
    ],
)
def test_groups_have_a_quarter_of_the_frames_rounded_down(
    reds: dict[int, int], group_then_top: tuple[int, tuple[int, ...]], top_then_group: tuple[int, tuple[int, ...]]
) -> None:
    segment = shades([reds.get(position, 0) for position in range(30)])
    for kind, key_frames in ((GroupThenTopSelector, group_then_top), (TopThenGroupSelector, top_then_group)):
        selector = kind(NearestOptions())
        selector.encoder = FakeEncoder()
        assert selector.select(segment, EventText("red", ("red",))) == KeyFrames(*key_frames)


@pytest.mark.parametrize("n_frames", [1, 2, 3])
@pytest.mark.parametrize("kind", [GroupThenTopSelector, TopThenGroupSelector])
def test_a_segment_of_fewer_than_four_frames_is_its_own_sequence(n_frames: int, kind: type[TopSelector]) -> None:
    selector = kind(NearestOptions())
    selector.encoder = FakeEncoder()
    segment = shades([10 * position for position in range(n_frames)])
    key_frames = selector.select(segment, EventText("red", ("red",)))
    assert key_frames == KeyFrames(n_frames - 1, tuple(range(n_frames)))
