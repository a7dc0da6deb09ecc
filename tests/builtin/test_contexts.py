"""The frames of the context `frames`, the brightness of `position`, and the windows of `temporal`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anyanomaly.builtin.contexts import CONTEXT_SIDE, FramesContext, PositionContext, TemporalContext
from anyanomaly.builtin.options import FramesOptions, PositionOptions, TemporalOptions
from anyanomaly.builtin.windows import boxes_of, resize_image
from anyanomaly.testing.fakes import FakeEncoder
from anyanomaly.testing.samples import TEXT, sample_segment
from anyanomaly.types import Context, KeyFrames


@pytest.mark.parametrize(
    ("n_frames", "count", "positions"),
    [(24, 4, [0, 8, 15, 23]), (24, 24, list(range(24))), (24, 2, [0, 23]), (3, 8, [0, 1, 2]), (1, 8, [0])],
)
def test_frames_of_the_whole_segment_are_shown_in_order(n_frames: int, count: int, positions: list[int]) -> None:
    segment = replace(sample_segment(), frames=sample_segment().frames[:n_frames])
    (context,) = FramesContext(FramesOptions(count=count)).build(segment, TEXT, KeyFrames(0, (0,)))
    assert len(context.images) == len(positions)
    for image, position in zip(context.images, positions, strict=True):
        np.testing.assert_array_equal(image, segment.frames[position].image)
    assert bool(context.hint) == (n_frames > 1)


@pytest.mark.parametrize("min_brightness", [0.0, 0.3, 1.0])
def test_the_position_context_keeps_a_fraction_of_the_brightness(min_brightness: float) -> None:
    generator = PositionContext(PositionOptions(min_brightness=min_brightness))
    generator.encoder = FakeEncoder()
    (context,) = generator.build(sample_segment(), TEXT, KeyFrames(1, (1, 7, 13, 19)))
    attention = context.views["attention"]
    assert attention.min() == pytest.approx(min_brightness)
    assert attention.max() == 1.0
    frame = resize_image(sample_segment().frames[1].image, CONTEXT_SIDE)
    for brightness, pixels in ((min_brightness, attention == attention.min()), (1.0, attention == attention.max())):
        np.testing.assert_allclose(context.images[0][pixels], frame[pixels] * brightness, atol=1)


def test_one_window_over_the_whole_frame_gives_the_plain_frame() -> None:
    generator = PositionContext(PositionOptions(large=240, middle=0, small=0))
    generator.encoder = FakeEncoder()
    (context,) = generator.build(sample_segment(), TEXT, KeyFrames(1, (1, 7, 13, 19)))
    np.testing.assert_array_equal(context.images[0], resize_image(sample_segment().frames[1].image, CONTEXT_SIDE))


def temporal(**options: object) -> list[Context]:
    generator = TemporalContext(TemporalOptions(**options))  # type: ignore[arg-type]
    generator.encoder = FakeEncoder()
    return generator.build(sample_segment(), TEXT, KeyFrames(1, (1, 7, 13, 19)))


def test_there_is_one_window_as_published_or_as_many_as_the_option_says() -> None:
    assert len(temporal()) == 1
    first, *more = temporal(windows=5)
    assert len(more) == 4
    np.testing.assert_array_equal(first.images[0], temporal()[0].images[0])
    assert all(context.hint == first.hint for context in more)


@pytest.mark.parametrize("stride", [False, True])
def test_several_windows_come_best_first_and_none_within_another(stride: bool) -> None:
    contexts = temporal(windows=6, stride=stride)
    windows = [tuple(context.views["window"].tolist()) for context in contexts]
    for number, (x0, y0, x1, y1) in enumerate(windows):
        for a0, b0, a1, b1 in windows[:number]:
            assert not (a0 <= x0 and b0 <= y0 and x1 <= a1 and y1 <= b1)
            assert not (x0 <= a0 and y0 <= b0 and a1 <= x1 and b1 <= y1)
    similarity = contexts[0].views["similarity"].max(axis=1)
    order = [similarity[boxes_of(TemporalOptions(stride=stride), FakeEncoder()).index(window)] for window in windows]
    assert order == sorted(order, reverse=True)
    assert order[0] == similarity.max()
