"""Windows around one thing, as the tower's first lessons: every class as often, large, and cheap to look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from cells import N_CLASSES, SEEN, blank, mark
from examples import Example, Scenes, shown

CROP = 84  # a tile of a grid: three tokens by three


class Around:
    """Draws windows around boxes."""

    def __init__(self, scenes: Scenes, first: int, last: int) -> None:
        """Use the frames from ``first`` up to ``last``."""
        self.scenes = scenes
        boxes, frames = scenes.boxes, scenes.box_frames
        usable = (boxes[:, 4] >= SEEN) & (frames >= first) & (frames < last)
        self.pools = [np.flatnonzero(usable & (boxes[:, 5] == k)) for k in range(N_CLASSES)]
        self.others = np.flatnonzero(usable & (boxes[:, 5] < 0))

    def row(self, rng: np.random.Generator) -> int:
        """Draw a box: two times in three of an event, each class as often, else of somebody or something."""
        pool = self.pools[int(rng.integers(N_CLASSES))] if rng.random() < 0.67 else self.others
        return int(pool[int(rng.integers(len(pool)))])

    def one(self, rng: np.random.Generator) -> Example:
        """Draw a crop around a box."""
        row = self.row(rng)
        number = int(self.scenes.box_frames[row])
        frame, boxes = self.scenes.frame(number), self.scenes.seen(number)
        x0, y0, x1, y1 = self.scenes.boxes[row, :4].tolist()
        high = float(np.clip(max(x1 - x0, y1 - y0) * np.exp(rng.uniform(np.log(0.9), np.log(3.0))), 30, 200))
        wide = high * (4 / 3 if rng.random() < 0.7 else 1.0)  # the method squeezes 320 x 240 into a square
        x = np.clip((x0 + x1) / 2 + rng.uniform(-0.25, 0.25) * wide - wide / 2, 0, 320 - wide)
        y = np.clip((y0 + y1) / 2 + rng.uniform(-0.25, 0.25) * high - high / 2, 0, 240 - high)
        part = (int(x), int(y), int(x + wide), int(y + high))
        area = cv2.INTER_AREA if high > CROP else cv2.INTER_LINEAR
        image = cv2.resize(frame[part[1] : part[3], part[0] : part[2]], (CROP, CROP), interpolation=area)
        cells = blank(CROP, CROP)
        mark(cells, boxes, part, (0, 0, CROP, CROP))
        y_ = np.zeros(N_CLASSES, np.float32)
        here = boxes[shown(boxes, part) >= 0.4][:, 5]
        y_[here[here >= 0]] = 1.0
        if rng.random() < 0.5:
            image, cells = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(cells[:, ::-1])
        return Example(image, y_, cells)

    def batches(self, rng: np.random.Generator, n: int) -> Iterator[list[Any]]:
        """Yield lists of examples."""
        while True:
            yield [self.one(rng) for _ in range(n)]
