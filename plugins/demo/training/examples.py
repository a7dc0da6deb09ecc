"""Drawn scenes to training examples: key frames, position contexts and grids as the method makes them, with targets.

``y`` of an image is the probability, per class, that a frame it speaks for is an event: for a key frame 0 or 1,
for a grid the share of its four frames. ``cells`` says the same of each 28 x 28 pixels that become one token.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from cells import N_CLASSES, SEEN, Floats, blank, mark, mark_moves
from PIL import Image

SIDE, SHOWN = 240, 224
MAX_PIXELS = 28_900
KEY_SIZE, SQUARE_SIZE = (196, 140), (168, 168)
"""What the processor makes of 320 x 240 and of 224 x 224 within its pixel limit: whole tokens of 28 x 28."""
WINDOWS = {size: [(x, y) for y in range(0, SIDE - size + 1, size) for x in range(0, SIDE - size + 1, size)]
           for size in (48, 80, 120)}  # fmt: skip
Bytes = npt.NDArray[np.uint8]


class Example(NamedTuple):
    """An image uint8 (H, W, 3), y float32 (N_CLASSES,), cells float32 (H // 28, W // 28, targets)."""

    image: Bytes
    y: Floats
    cells: Floats


class Scenes:
    """What ``draw`` wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = np.load(folder / "index.npz")
        self.offsets, self.sequences, self.boxes = index["offsets"], index["sequences"], index["boxes"]
        self.box_frames = index["box_frames"]
        self.first_box = np.searchsorted(self.box_frames, np.arange(len(self.offsets)))

    @cached_property
    def bytes(self) -> Bytes:
        """All JPEGs, read when looked at."""
        return np.memmap(self.folder / "frames.bin", np.uint8, "r")

    def frame(self, number: int) -> Bytes:
        """Return a frame, RGB uint8 (240, 320, 3)."""
        data = np.asarray(self.bytes[self.offsets[number] : self.offsets[number + 1]])
        return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    def seen(self, number: int) -> npt.NDArray[np.int16]:
        """Return the boxes of a frame that are seen (n, 9)."""
        found = self.boxes_of(number)
        return found[found[:, 4] >= SEEN]

    def boxes_of(self, number: int) -> npt.NDArray[np.int16]:
        """Return all boxes of a frame (n, 9), columns as ``draw`` says."""
        return np.asarray(self.boxes[self.first_box[number] : self.first_box[number + 1]])

    def with_events(self, sequences: npt.NDArray[np.int32], k: int | None = None) -> npt.NDArray[np.int32]:
        """Return those of ``sequences`` (n, 4) in which an event is seen, of class ``k`` if it is given."""
        events = np.zeros(len(self.offsets), np.bool_)
        wanted = self.boxes[:, 5] >= 0 if k is None else self.boxes[:, 5] == k
        events[self.box_frames[wanted & (self.boxes[:, 4] >= SEEN)]] = True
        return sequences[events[sequences].any(axis=1)]

    def labels(self, number: int) -> Floats:
        """Say which classes go on in a frame (N_CLASSES,)."""
        y = np.zeros(N_CLASSES, np.float32)
        events = self.seen(number)[:, 5]
        y[events[events >= 0]] = 1.0
        return y


def key(scenes: Scenes, number: int) -> Example:
    """The frame as the processor shrinks it."""
    image = _shrunk(scenes.frame(number), KEY_SIZE)
    cells = blank(KEY_SIZE[1], KEY_SIZE[0])
    mark(cells, scenes.seen(number), (0, 0, 320, 240), (0, 0, *KEY_SIZE))
    return Example(image, scenes.labels(number), cells)


def position(scenes: Scenes, number: int, attention: Floats) -> Example:
    """The frame, 224 x 224, multiplied by a map of 0 to 1 (224, 224)."""
    square = cv2.resize(scenes.frame(number), (SHOWN, SHOWN), interpolation=cv2.INTER_LINEAR)
    cells = blank(SQUARE_SIZE[1], SQUARE_SIZE[0])
    mark(cells, scenes.seen(number), (0, 0, 320, 240), (0, 0, *SQUARE_SIZE))
    return Example(
        _shrunk((square * attention[:, :, None]).astype(np.uint8), SQUARE_SIZE), scenes.labels(number), cells
    )


def grid(scenes: Scenes, sequence: npt.NDArray[np.int32], window: tuple[int, int, int]) -> Example:
    """The window (x, y, size of 240 x 240) over four frames, two by two."""
    x, y, size = window
    part = (x * 4 / 3, y, (x + size) * 4 / 3, y + size)
    tiles, share = [], np.zeros(N_CLASSES, np.float32)
    wide, high = SQUARE_SIZE[0] // 2, SQUARE_SIZE[1] // 2
    cells, there = blank(2 * high, 2 * wide), np.zeros(N_CLASSES, np.float32)
    for place, number in enumerate(sequence):
        square = cv2.resize(scenes.frame(number), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)[
            y : y + size, x : x + size
        ]
        tiles.append(cv2.resize(cv2.resize(square, (SHOWN, SHOWN)), (SHOWN // 2, SHOWN // 2)))
        row, column = divmod(place, 2)
        boxes = scenes.seen(number)
        mark(cells, boxes, part, (wide * column, high * row, wide * column + wide, high * row + high))
        share += scenes.labels(number) / 4
        for event in np.unique(boxes[shown(boxes, part) >= 0.4][:, 5]):
            if event >= 0:
                there[event] = 1.0
    mark_moves(cells, [scenes.boxes_of(int(number)) for number in sequence], part, wide)
    image = np.vstack((np.hstack(tiles[:2]), np.hstack(tiles[2:])))
    return Example(_shrunk(image, SQUARE_SIZE), share * there, cells)


def _shrunk(image: Bytes, size: tuple[int, int]) -> Bytes:
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def shown(boxes: npt.NDArray[np.int16], part: tuple[float, float, float, float]) -> Floats:
    """Say what share of each box lies in ``part`` of the frame (n,)."""
    x0, y0, x1, y1 = boxes[:, :4].T.astype(np.float32)
    wide = np.clip(np.minimum(x1, part[2]) - np.maximum(x0, part[0]), 0, None)
    high = np.clip(np.minimum(y1, part[3]) - np.maximum(y0, part[1]), 0, None)
    return wide * high / np.maximum(1.0, (x1 - x0) * (y1 - y0))


def some_window(scenes: Scenes, sequence: npt.NDArray[np.int32], rng: np.random.Generator) -> tuple[int, int, int]:
    """Draw a window as an encoder might choose it: mostly where an event or a person is."""
    size = int(rng.choice((48, 80, 120), p=(0.4, 0.35, 0.25)))
    boxes = scenes.seen(int(rng.choice(sequence)))
    events, people = boxes[boxes[:, 5] >= 0], boxes[boxes[:, 6] == 1]
    draw = rng.random()
    pool = events if len(events) and draw < 0.6 else people if len(people) and draw < 0.95 else None
    if pool is None:
        x, y = WINDOWS[size][int(rng.integers(len(WINDOWS[size])))]
        return x, y, size
    x0, y0, x1, y1 = pool[int(rng.integers(len(pool))), :4]
    last = SIDE // size - 1
    x = min(int((x0 + x1) * 0.5 * 0.75 // size), last) * size
    y = min(int((y0 + y1) * 0.5 // size), last) * size
    return x, y, size


def some_attention(scenes: Scenes, number: int, rng: np.random.Generator) -> Floats:
    """Draw an attention map (224, 224) as windows give it: rough, brighter where an event or a person is."""
    maps = []
    boxes = scenes.seen(number)
    events = boxes[boxes[:, 5] >= 0]
    pool = events if len(events) and rng.random() < 0.7 else boxes
    lit = rng.random(len(pool)) < 0.6
    gain = rng.uniform(0.3, 2.0)
    for n in (5, 3, 2):
        rough = rng.random((n, n)).astype(np.float32)
        for x0, y0, x1, y1 in pool[lit, :4]:
            column, row = int((x0 + x1) / 2 / 320 * n), int((y0 + y1) / 2 / 240 * n)
            rough[min(row, n - 1), min(column, n - 1)] += gain
        maps.append(cv2.resize(rough, (SHOWN, SHOWN), interpolation=cv2.INTER_LINEAR))
    mean = np.mean(maps, axis=0)
    return np.asarray((mean - mean.min()) / max(1e-6, float(mean.max() - mean.min())), np.float32)
