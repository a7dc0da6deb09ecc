"""Scenes: the same seed draws the same pixels, labels agree with boxes, and every class can be drawn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from anyanomaly_demo.scenes import CLASSES, SIZE, SPLIT_SEEDS, SPLITS, STYLES, Scene, compress, make_scene

ALL = [name for names in CLASSES.values() for name in names]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [make_scene(seed) for seed in range(24)]


@pytest.mark.parametrize("style", STYLES)
def test_a_seed_draws_the_same_bytes_in_any_order(style: str) -> None:
    first, second = make_scene(7, style=style), make_scene(7, style=style)
    forwards = [first.frame(i) for i in (3, 40)]
    backwards = [second.frame(i) for i in (40, 3)][::-1]
    assert all((a == b).all() for a, b in zip(forwards, backwards, strict=True))
    assert first.events == second.events
    assert first.boxes(40) == second.boxes(40)


def test_another_seed_draws_something_else() -> None:
    assert (make_scene(1).frame(0) != make_scene(2).frame(0)).any()


def test_frames_are_rgb_bytes_of_the_stated_size_and_number(scenes: list[Scene]) -> None:
    for scene in scenes[:4]:
        assert 96 <= scene.n_frames <= 144
        frame = scene.frame(scene.n_frames - 1)
        assert (frame.shape, frame.dtype) == ((SIZE[1], SIZE[0], 3), np.uint8)
        assert frame.flags.c_contiguous
        assert frame.std() > 8, "a nearly empty image"
        with pytest.raises(IndexError):
            scene.frame(scene.n_frames)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ALL)
def test_every_class_can_be_drawn_and_is_visible(name: str, style: str) -> None:
    scene = make_scene(11, style=style, events=[name])
    assert [event.name for event in scene.events] == [name]
    assert scene.labels(name).sum() >= 10
    assert not any(scene.labels(absent).any() for absent in ALL if absent != name)


@pytest.mark.parametrize("name", ALL)
def test_the_box_of_an_event_shows_it(name: str) -> None:
    """Inside the box the frame differs from the same scene without the event."""
    scene, empty = make_scene(5, events=[name]), make_scene(5, events=[])
    index = int(np.median(np.flatnonzero(scene.labels(name))))
    box = max((b for b in scene.boxes(index) if b.event == name), key=lambda b: b.visible)
    (x0, y0, x1, y1) = box.box
    without_event = empty.frame(index)[y0:y1, x0:x1].astype(int)
    assert np.abs(scene.frame(index)[y0:y1, x0:x1] - without_event).mean() > 6


def test_labels_agree_with_boxes_and_events(scenes: list[Scene]) -> None:
    for scene in scenes[:10]:
        for name in ALL:
            labels = scene.labels(name)
            assert labels.shape == (scene.n_frames,)
            spans = [(e.start, e.stop) for e in scene.events if e.name == name]
            for index in np.flatnonzero(labels).tolist():
                assert any(start <= index < stop for start, stop in spans)
                assert any(b.event == name and b.visible >= 0.3 for b in scene.boxes(index))


def test_boxes_lie_in_the_frame(scenes: list[Scene]) -> None:
    for scene in scenes[:6]:
        for box in scene.boxes(30):
            x0, y0, x1, y1 = box.box
            assert 0 <= x0 < x1 <= SIZE[0]
            assert 0 <= y0 < y1 <= SIZE[1]
            assert 0.0 <= box.visible <= 1.0


def test_a_quarter_of_the_clips_has_no_event_and_some_have_several(scenes: list[Scene]) -> None:
    counts = [len(scene.events) for scene in scenes]
    assert 1 <= counts.count(0) <= 12
    assert max(counts) >= 2


def test_a_flavour_draws_only_its_classes() -> None:
    for flavour, names in CLASSES.items():
        for seed in range(6):
            assert {event.name for event in make_scene(seed, flavour=flavour).events} <= set(names)


def test_without_events_nothing_is_labelled() -> None:
    scene = make_scene(4, events=())
    assert scene.events == ()
    assert not any(box.event for index in (0, 50, 90) for box in scene.boxes(index))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="sabotage"):
        make_scene(0, flavour="sabotage")
    with pytest.raises(ValueError, match="unicorn"):
        make_scene(0, events=["unicorn"])
    with pytest.raises(ValueError, match="watercolour"):
        make_scene(0, style="watercolour")
    with pytest.raises(ValueError, match="36"):
        make_scene(0, n_frames=10)


def test_splits_share_no_seeds() -> None:
    firsts = sorted(first for first, _ in SPLITS.values())
    assert all(b - a >= SPLIT_SEEDS for a, b in itertools.pairwise(firsts))
    assert {style for name, (_, style) in SPLITS.items() if name != "held-out"} == {"standard"}


def test_compression_loses_detail_only() -> None:
    frame = make_scene(3).frame(0)
    rough = compress(frame, 30)
    assert rough.shape == frame.shape
    assert 0.5 < np.abs(rough.astype(int) - frame).mean() < 15
