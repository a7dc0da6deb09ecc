"""The gate motion: what counts as motion in pictures of a fixed camera, and what does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from anyanomaly.builtin.gate_motion import MotionGate
from anyanomaly.builtin.gate_options import MotionOptions
from anyanomaly.core.segment import segments
from anyanomaly.testing.samples import sample_segment
from anyanomaly.types import EventText, Frame, Video

WIDTH, HEIGHT, FPS = 320, 180, 10.0
VIDEO = Video("street", "street.mp4", FPS, None, WIDTH, HEIGHT)
TEXTS = [EventText(text, ("a car", "a dog")) for text in ("a car", "a dog")]
Picture = npt.NDArray[np.float64]
Change = Callable[[Picture, int, np.random.Generator], Picture]


def street() -> Picture:
    """Return a picture with flat and textured parts, edges and a gradient, grey levels 30 to 200."""
    rng = np.random.default_rng(7)
    picture = np.linspace(60, 180, WIDTH)[None].repeat(HEIGHT, axis=0)
    picture[100:] = cv2.blur(rng.uniform(40, 200, (HEIGHT - 100, WIDTH)), (5, 5))
    for left in range(10, WIDTH, 45):
        picture[20:75, left : left + 20] = 30 + left / 2
    return picture


def rate(change: Change, n_frames: int = 240, every: int = 1, length: int = 12, **options: float) -> list[float]:
    """Return the priority of each segment of a street with sensor noise, to each frame of which a change is made."""
    gate = MotionGate(MotionOptions.model_validate(options))
    rng = np.random.default_rng(1)
    base = street()

    def frames() -> Iterator[Frame]:
        for index in range(0, n_frames, every):
            picture = change(base, index, rng)
            picture = picture + rng.normal(0, 4, picture.shape)
            grey = picture.clip(0, 255).astype(np.uint8)
            yield Frame(VIDEO, index, index / FPS, np.ascontiguousarray(grey[..., None].repeat(3, axis=2)))

    gate.begin(VIDEO)
    priorities = []
    for segment in segments(frames(), length=length, every=every):
        row = gate.rate([segment], TEXTS)
        assert row[0, 0] == row[0, 1]
        priorities.append(float(row[0, 0]))
    return priorities


def still(picture: Picture, index: int, rng: np.random.Generator) -> Picture:
    return picture


def strong_noise(picture: Picture, index: int, rng: np.random.Generator) -> Picture:
    return picture + rng.normal(0, 15, picture.shape)


def pumping(picture: Picture, index: int, rng: np.random.Generator) -> Picture:
    """Blocks change with every group of pictures, as a codec leaves them."""
    blocks = np.random.default_rng(index // 12).normal(0, 1.5, (HEIGHT // 4, WIDTH // 4))
    return picture + np.kron(blocks, np.ones((4, 4)))


def flicker(picture: Picture, index: int, rng: np.random.Generator) -> Picture:
    return picture * (1 + 0.15 * np.sin(index * 2.3))


def bands(picture: Picture, index: int, rng: np.random.Generator) -> Picture:
    return picture + 6 * np.sin(np.arange(HEIGHT)[:, None] / 30 + index * 1.7)


def dusk(picture: Picture, index: int, rng: np.random.Generator) -> Picture:
    return picture * (1 - 0.6 * index / 200)


def shake(picture: Picture, index: int, rng: np.random.Generator) -> Picture:
    matrix = np.array([[1, 0, 2 * np.sin(index * 0.9)], [0, 1, 1.5 * np.cos(index * 1.3)]])
    return np.asarray(cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE))


@pytest.mark.parametrize("change", [still, strong_noise, pumping, flicker, bands, dusk, shake])
@pytest.mark.parametrize(("every", "length"), [(1, 12), (3, 12), (1, 1)])
def test_a_still_scene_costs_nothing(change: Change, every: int, length: int) -> None:
    priorities = rate(change, n_frames=96 if length > 1 else 30, every=every, length=length)
    assert priorities == [0.0] * len(priorities)


def box(picture: Picture, left: float, top: int, width: int, height: int) -> Picture:
    """Return the picture with a dark box, where it is inside."""
    result = picture.copy()
    x0, x1 = max(0, int(left)), max(0, int(left) + width)
    result[top : top + height, x0:x1] = 20
    return result


@pytest.mark.parametrize("every", [1, 3])
def test_a_person_far_away_counts(every: int) -> None:
    """A hundredth of the picture's width."""

    def walk(picture: Picture, index: int, rng: np.random.Generator) -> Picture:
        return box(picture, (index - 60) * 2, 82, 3, 9) if 60 <= index < 180 else picture

    priorities = np.array(rate(walk, every=every))
    assert (priorities[6:14] >= 0.5).all()
    assert (priorities[:5] == 0).all()
    assert (priorities[16:] == 0).all()


def test_larger_motion_has_a_higher_priority() -> None:
    def sized(size: int) -> float:
        return max(rate(lambda picture, index, rng: box(picture, index * 2, 20, size, size), n_frames=48))

    small, middle, large = sized(6), sized(25), sized(100)
    assert 0.5 < small < middle < large <= 1


def test_a_thing_of_another_colour_but_the_same_brightness_counts() -> None:
    gate = MotionGate(MotionOptions())
    gate.begin(sample_segment().video)
    assert (gate.rate([sample_segment(index=index) for index in range(3)], TEXTS) > 0.5).all()


def test_motion_in_the_first_segment_counts() -> None:
    assert rate(lambda picture, index, rng: box(picture, index * 8, 50, 15, 30), n_frames=12)[0] > 0.5


def test_who_stands_still_counts_until_the_seconds_are_over() -> None:
    def come_and_stay(picture: Picture, index: int, rng: np.random.Generator) -> Picture:
        return box(picture, min(150, (index - 24) * 10), 50, 20, 50) if index >= 24 else picture

    priorities = np.array(rate(come_and_stay, n_frames=200, absorb_seconds=8))
    arrives = 24 // 12
    assert (priorities[arrives : arrives + 6] > 0.5).all()
    assert (priorities[-4:] == 0).all()


def test_a_cut_counts_once() -> None:
    other = street()[::-1, ::-1].copy()
    other[:, 100:200] = 200
    priorities = rate(lambda picture, index, rng: picture if index < 60 else other, n_frames=120)
    assert priorities == [0.0] * 5 + [1.0] + [0.0] * 4


def test_one_damaged_frame_does_not_count() -> None:
    def damage(picture: Picture, index: int, rng: np.random.Generator) -> Picture:
        return box(picture, 50, 50, 150, 30) if index == 31 else picture

    assert rate(damage, n_frames=60) == [0.0] * 5


def test_a_clock_in_the_picture_counts_no_longer_after_some_minutes() -> None:
    def clock(picture: Picture, index: int, rng: np.random.Generator) -> Picture:
        seconds = index // 10
        result = picture.copy()
        for digit in range(3):
            if np.random.default_rng([seconds, digit]).random() < 0.5:
                result[5:13, 5 + 7 * digit : 10 + 7 * digit] = 250
        return result

    priorities = np.array(rate(clock, n_frames=2000, every=5, length=20))
    assert (priorities[-15:] == 0).mean() > 0.9
