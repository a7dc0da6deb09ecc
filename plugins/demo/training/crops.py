"""Crops around one thing for the tower's first stage: every class equally often, large, and cheap to process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from examples import Example, Scenes, fraction_inside
from token_targets import MIN_VISIBLE, N_CLASSES, empty_targets, mark_boxes

CROP = 84  # side in pixels: three by three tokens, as a tile of a grid


class CropSampler:
    """Samples crops around boxes of the frames from ``first`` up to ``last``."""

    def __init__(self, scenes: Scenes, first: int, last: int) -> None:
        self.scenes = scenes
        boxes, frames = scenes.boxes, scenes.box_frames
        usable = (boxes[:, 4] >= MIN_VISIBLE) & (frames >= first) & (frames < last)
        self.class_rows = [np.flatnonzero(usable & (boxes[:, 5] == number)) for number in range(N_CLASSES)]
        self.background_rows = np.flatnonzero(usable & (boxes[:, 5] < 0))

    def sample_box(self, rng: np.random.Generator) -> int:
        """Sample the row of a box: two times in three of an event, each class equally often; else of no event."""
        rows = self.class_rows[int(rng.integers(N_CLASSES))] if rng.random() < 0.67 else self.background_rows
        return int(rows[int(rng.integers(len(rows)))])

    def sample(self, rng: np.random.Generator) -> Example:
        """Sample a crop around a box."""
        row = self.sample_box(rng)
        number = int(self.scenes.box_frames[row])
        frame, boxes = self.scenes.frame(number), self.scenes.visible_boxes(number)
        x0, y0, x1, y1 = self.scenes.boxes[row, :4].tolist()
        high = float(np.clip(max(x1 - x0, y1 - y0) * np.exp(rng.uniform(np.log(0.9), np.log(3.0))), 30, 200))
        wide = high * (4 / 3 if rng.random() < 0.7 else 1.0)  # the method resizes frames of 320 x 240 to a square
        x = np.clip((x0 + x1) / 2 + rng.uniform(-0.25, 0.25) * wide - wide / 2, 0, 320 - wide)
        y = np.clip((y0 + y1) / 2 + rng.uniform(-0.25, 0.25) * high - high / 2, 0, 240 - high)
        region = (int(x), int(y), int(x + wide), int(y + high))
        interpolation = cv2.INTER_AREA if high > CROP else cv2.INTER_LINEAR
        cut = frame[region[1] : region[3], region[0] : region[2]]
        image = cv2.resize(cut, (CROP, CROP), interpolation=interpolation)
        targets = empty_targets(CROP, CROP)
        mark_boxes(targets, boxes, region, (0, 0, CROP, CROP))
        labels = np.zeros(N_CLASSES, np.float32)
        events = boxes[fraction_inside(boxes, region) >= 0.4][:, 5]
        labels[events[events >= 0]] = 1.0
        if rng.random() < 0.5:
            image, targets = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(targets[:, ::-1])
        return Example(image, labels, targets)

    def batches(self, rng: np.random.Generator, n: int) -> Iterator[list[Any]]:
        """Yield lists of ``n`` examples."""
        while True:
            yield [self.sample(rng) for _ in range(n)]
