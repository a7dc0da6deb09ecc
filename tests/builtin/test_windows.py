"""Windows follow the encoder's input size: as many for every size, and for CLIP's 224 the published pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyanomaly.builtin.contexts import PositionContext, TemporalContext
from anyanomaly.builtin.options import NearestOptions, PositionOptions, TemporalOptions, WindowOptions
from anyanomaly.builtin.selectors import TopSelector
from anyanomaly.builtin.windows import boxes_of, frame_side, scales_of
from anyanomaly.engine.caching_encoder import CachingEncoder
from anyanomaly.testing.fakes import FakeEncoder
from anyanomaly.testing.samples import TEXT, sample_segment
from anyanomaly.types import KeyFrames

KEY_FRAMES = KeyFrames(1, (1, 7, 13, 19))


def encoder_of(image_size: int) -> FakeEncoder:
    encoder = FakeEncoder()
    encoder.image_size = image_size
    return encoder


@pytest.mark.parametrize(
    ("image_size", "side"),
    [(64, 240), (128, 240), (224, 240), (256, 270), (336, 360), (378, 420), (384, 420), (448, 480), (512, 540)],
)
def test_the_frame_has_the_published_proportion_to_the_input(image_size: int, side: int) -> None:
    assert frame_side(encoder_of(image_size)) == side


def test_an_encoder_that_does_not_say_its_input_size_gets_the_published_frame() -> None:
    assert frame_side(FakeEncoder()) == 240


SIZES = st.integers(16, 240)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 1024), SIZES, SIZES, SIZES, st.booleans())
def test_windows_are_those_of_the_published_frame_in_proportion(
    image_size: int, small: int, middle: int, large: int, stride: bool
) -> None:
    options = WindowOptions(small=small, middle=middle, large=large, stride=stride)
    encoder = encoder_of(image_size)
    side = frame_side(encoder)
    for scale, published in zip(scales_of(options, encoder), scales_of(options, encoder_of(224)), strict=True):
        assert (scale.name, scale.rows, scale.columns) == (published.name, published.rows, published.columns)
        boxes = np.array(scale.boxes)
        assert np.ptp(boxes[:, 2:] - boxes[:, :2]) == 0  # all windows of a scale are equally large squares
        assert 0 <= boxes.min() < boxes.max() <= side
        assert np.abs(boxes - np.array(published.boxes) * side / 240).max() < 2


@pytest.mark.parametrize("image_size", [224, 256, 336, 378, 384, 448, 512])
@pytest.mark.parametrize("size", [48, 80, 120, 240])
def test_the_published_windows_cover_every_pixel_once(image_size: int, size: int) -> None:
    encoder = encoder_of(image_size)
    covered = np.zeros((frame_side(encoder), frame_side(encoder)), int)
    for x0, y0, x1, y1 in boxes_of(WindowOptions(small=size, middle=0, large=0), encoder):
        covered[y0:y1, x0:x1] += 1
    assert (covered == 1).all()


def test_windows_of_a_larger_input_come_from_a_larger_frame() -> None:
    segment = sample_segment(size=(640, 480))
    encoder = CachingEncoder(encoder_of(384))
    position, temporal = PositionContext(PositionOptions()), TemporalContext(TemporalOptions())
    selector = TopSelector(NearestOptions(windows=(48,)))
    for component in (position, temporal, selector):
        component.encoder = encoder
    position_crops = position.crops(segment, KEY_FRAMES)
    assert len(position_crops) == 38
    assert len(temporal.crops(segment, KEY_FRAMES)) == 4 * 38
    assert len(selector.crops(segment)) == 24 * 25
    for crop in (*position_crops, *temporal.crops(segment, KEY_FRAMES), *selector.crops(segment)):
        assert crop.frame.image.shape == (420, 420, 3)
    for crops in (position_crops, selector.crops(segment)):
        assert crops[0].box == (0, 0, 84, 84)
    (grid,) = temporal.build(segment, TEXT, KEY_FRAMES)
    (masked,) = position.build(segment, TEXT, KEY_FRAMES)
    assert grid.images[0].shape == masked.images[0].shape == (224, 224, 3)


def test_the_windows_of_the_grid_are_the_pixels_that_the_encoder_compared() -> None:
    """A window that is one flat colour stays that colour in the grid, whatever the encoder's input size."""
    segment = sample_segment(size=(240, 240))
    for image_size in (224, 384):
        temporal = TemporalContext(TemporalOptions())
        temporal.encoder = encoder_of(image_size)
        (context,) = temporal.build(segment, TEXT, KEY_FRAMES)
        window = tuple(context.views["window"].tolist())
        assert window in boxes_of(TemporalOptions(), encoder_of(image_size))
        crops = temporal.crops(segment, KEY_FRAMES)
        means = [
            crop.frame.image[window[1] : window[3], window[0] : window[2]].mean(axis=(0, 1))
            for crop in crops
            if crop.box == window
        ]
        tiles = [context.images[0][y : y + 112, x : x + 112].mean(axis=(0, 1)) for y in (0, 112) for x in (0, 112)]
        np.testing.assert_allclose(tiles, means, atol=2)
