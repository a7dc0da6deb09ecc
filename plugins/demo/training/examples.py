"""Training examples from drawn scenes: key frames, position contexts and grids as the method makes them.

The ``labels`` of an image are, per class, the fraction of its frames that show an event of the class: 0 or 1 for a key
frame, quarters for a grid. ``token_targets`` are described in ``token_targets.py``.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from token_targets import MIN_VISIBLE, N_CLASSES, Floats, empty_targets, mark_boxes, mark_motion

SIDE, CONTEXT_SIDE = 240, 224
"""Sides in pixels of the square that windows are cut from, and of a context."""
MAX_PIXELS = 28_900
KEY_SIZE, SQUARE_SIZE = (196, 140), (168, 168)
"""Sizes after the processor of images of 320 x 240 and of 224 x 224: multiples of 28, within its pixel limit."""
WINDOWS = {size: [(x, y) for y in range(0, SIDE - size + 1, size) for x in range(0, SIDE - size + 1, size)]
           for size in (48, 80, 120)}  # fmt: skip
Bytes = npt.NDArray[np.uint8]


class Example(NamedTuple):
    """An image uint8 (H, W, 3), labels float32 (N_CLASSES,), token targets float32 (H // 28, W // 28, targets)."""

    image: Bytes
    labels: Floats
    token_targets: Floats


class Scenes:
    """Reads a folder of ``draw_scenes``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = np.load(folder / "index.npz")
        self.offsets, self.sequences, self.boxes = index["offsets"], index["sequences"], index["boxes"]
        self.box_frames = index["box_frames"]
        self.first_box = np.searchsorted(self.box_frames, np.arange(len(self.offsets)))

    @cached_property
    def bytes(self) -> Bytes:
        """All JPEGs, mapped into memory."""
        return np.memmap(self.folder / "frames.bin", np.uint8, "r")

    def frame(self, number: int) -> Bytes:
        """Return a frame, RGB uint8 (240, 320, 3)."""
        data = np.asarray(self.bytes[self.offsets[number] : self.offsets[number + 1]])
        return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    def visible_boxes(self, number: int) -> npt.NDArray[np.int16]:
        """Return the boxes (n, 9) of a frame that are visible enough."""
        boxes = self.boxes_of(number)
        return boxes[boxes[:, 4] >= MIN_VISIBLE]

    def boxes_of(self, number: int) -> npt.NDArray[np.int16]:
        """Return all boxes (n, 9) of a frame; ``draw_scenes.py`` describes the columns."""
        return np.asarray(self.boxes[self.first_box[number] : self.first_box[number + 1]])

    def with_events(self, sequences: npt.NDArray[np.int32], class_number: int | None = None) -> npt.NDArray[np.int32]:
        """Return the ``sequences`` (n, 4) in which an event is visible; of one class, unless it is None."""
        has_event = np.zeros(len(self.offsets), np.bool_)
        event_boxes = self.boxes[:, 5] >= 0 if class_number is None else self.boxes[:, 5] == class_number
        has_event[self.box_frames[event_boxes & (self.boxes[:, 4] >= MIN_VISIBLE)]] = True
        return sequences[has_event[sequences].any(axis=1)]

    def labels(self, number: int) -> Floats:
        """Return which classes are visible in a frame: 0 or 1, (N_CLASSES,)."""
        labels = np.zeros(N_CLASSES, np.float32)
        events = self.visible_boxes(number)[:, 5]
        labels[events[events >= 0]] = 1.0
        return labels


def key_example(scenes: Scenes, number: int) -> Example:
    """Return a key frame in the processor's size."""
    image = _resize(scenes.frame(number), KEY_SIZE)
    targets = empty_targets(KEY_SIZE[1], KEY_SIZE[0])
    mark_boxes(targets, scenes.visible_boxes(number), (0, 0, 320, 240), (0, 0, *KEY_SIZE))
    return Example(image, scenes.labels(number), targets)


def position_example(scenes: Scenes, number: int, attention: Floats) -> Example:
    """Return a position context: the frame times an attention map (224, 224) of 0 to 1."""
    square = cv2.resize(scenes.frame(number), (CONTEXT_SIDE, CONTEXT_SIDE), interpolation=cv2.INTER_LINEAR)
    image = _resize((square * attention[:, :, None]).astype(np.uint8), SQUARE_SIZE)
    targets = empty_targets(SQUARE_SIZE[1], SQUARE_SIZE[0])
    mark_boxes(targets, scenes.visible_boxes(number), (0, 0, 320, 240), (0, 0, *SQUARE_SIZE))
    return Example(image, scenes.labels(number), targets)


def grid_example(scenes: Scenes, sequence: npt.NDArray[np.int32], window: tuple[int, int, int]) -> Example:
    """Return a temporal context: the window (x, y, size, in pixels of 240 x 240) over four frames, two by two."""
    x, y, size = window
    region = (x * 4 / 3, y, (x + size) * 4 / 3, y + size)
    tiles, fraction = [], np.zeros(N_CLASSES, np.float32)
    wide, high = SQUARE_SIZE[0] // 2, SQUARE_SIZE[1] // 2
    targets, inside = empty_targets(2 * high, 2 * wide), np.zeros(N_CLASSES, np.float32)
    for index, number in enumerate(sequence):
        square = cv2.resize(scenes.frame(number), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        cut = square[y : y + size, x : x + size]
        tiles.append(cv2.resize(cv2.resize(cut, (CONTEXT_SIDE, CONTEXT_SIDE)), (CONTEXT_SIDE // 2, CONTEXT_SIDE // 2)))
        row, column = divmod(index, 2)
        boxes = scenes.visible_boxes(number)
        mark_boxes(targets, boxes, region, (wide * column, high * row, wide * column + wide, high * row + high))
        fraction += scenes.labels(number) / 4
        for event in np.unique(boxes[fraction_inside(boxes, region) >= 0.4][:, 5]):
            if event >= 0:
                inside[event] = 1.0
    mark_motion(targets, [scenes.boxes_of(int(number)) for number in sequence], region, wide)
    image = np.vstack((np.hstack(tiles[:2]), np.hstack(tiles[2:])))
    return Example(_resize(image, SQUARE_SIZE), fraction * inside, targets)


def _resize(image: Bytes, size: tuple[int, int]) -> Bytes:
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def fraction_inside(boxes: npt.NDArray[np.int16], region: tuple[float, float, float, float]) -> Floats:
    """Return the fraction of each box that lies in ``region`` of the frame (n,)."""
    x0, y0, x1, y1 = boxes[:, :4].T.astype(np.float32)
    wide = np.clip(np.minimum(x1, region[2]) - np.maximum(x0, region[0]), 0, None)
    high = np.clip(np.minimum(y1, region[3]) - np.maximum(y0, region[1]), 0, None)
    return wide * high / np.maximum(1.0, (x1 - x0) * (y1 - y0))


def sample_window(scenes: Scenes, sequence: npt.NDArray[np.int32], rng: np.random.Generator) -> tuple[int, int, int]:
    """Sample a window (x, y, size) as an encoder might choose it: mostly where an event or a person is."""
    size = int(rng.choice((48, 80, 120), p=(0.4, 0.35, 0.25)))
    boxes = scenes.visible_boxes(int(rng.choice(sequence)))
    events, people = boxes[boxes[:, 5] >= 0], boxes[boxes[:, 6] == 1]
    kind = rng.random()
    pool = events if len(events) and kind < 0.6 else people if len(people) and kind < 0.95 else None
    if pool is None:
        x, y = WINDOWS[size][int(rng.integers(len(WINDOWS[size])))]
        return x, y, size
    x0, y0, x1, y1 = pool[int(rng.integers(len(pool))), :4]
    last = SIDE // size - 1
    x = min(int((x0 + x1) * 0.5 * 0.75 // size), last) * size
    y = min(int((y0 + y1) * 0.5 // size), last) * size
    return x, y, size


def sample_attention(scenes: Scenes, number: int, rng: np.random.Generator) -> Floats:
    """Sample an attention map (224, 224), 0 to 1, as windows give it: coarse, brighter at events and people."""
    maps = []
    boxes = scenes.visible_boxes(number)
    events = boxes[boxes[:, 5] >= 0]
    pool = events if len(events) and rng.random() < 0.7 else boxes
    is_bright = rng.random(len(pool)) < 0.6
    gain = rng.uniform(0.3, 2.0)
    for n in (5, 3, 2):
        coarse = rng.random((n, n)).astype(np.float32)
        for x0, y0, x1, y1 in pool[is_bright, :4]:
            column, row = int((x0 + x1) / 2 / 320 * n), int((y0 + y1) / 2 / 240 * n)
            coarse[min(row, n - 1), min(column, n - 1)] += gain
        maps.append(cv2.resize(coarse, (CONTEXT_SIDE, CONTEXT_SIDE), interpolation=cv2.INTER_LINEAR))
    mean = np.mean(maps, axis=0)
    return np.asarray((mean - mean.min()) / max(1e-6, float(mean.max() - mean.min())), np.float32)
