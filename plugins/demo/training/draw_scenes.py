"""Draws the training scenes once: the key frames of segments as JPEG, with their boxes.

A segment has 24 frames; its four key frames are r, r + 6, r + 12, r + 18, as the selector ``top-then-group`` chooses
them. One folder holds ``frames.bin`` (JPEG after JPEG) and ``index.npz``: ``offsets`` (n_frames + 1,) into
``frames.bin``, ``sequences`` (n, 4) of frame numbers, ``boxes`` (n_boxes, 9) of int16 (x0, y0, x1, y1, visible in
percent, event, person, actor, thing), and ``box_frames`` (n_boxes,), the frame number of each box.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from anyanomaly_demo.scenes import ACTION, APPEARANCE, CLASSES, SPLITS, make_scene

CLASS_NAMES = (*APPEARANCE, *ACTION)
"""The classes, in the order of their numbers."""
THINGS = (*APPEARANCE, "ball")
SEGMENT, STEP = 24, 6
FLAVOURS = tuple(CLASSES)


def draw_scenes(folder: Path, n_scenes: int, *, processes: int = 2) -> None:
    """Draw ``n_scenes`` training scenes into ``folder``; do nothing if it already holds scenes."""
    if (folder / "index.npz").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    offsets, sequences, boxes, box_frames = [0], [], [], []
    with (folder / "frames.bin").open("wb") as file, ProcessPoolExecutor(processes) as pool:
        for number, (jpegs, frame_boxes) in enumerate(pool.map(_draw_scene, range(n_scenes), chunksize=8)):
            first = len(offsets) - 1
            for jpeg in jpegs:
                file.write(jpeg)
                offsets.append(offsets[-1] + len(jpeg))
            sequences += [[first + start + offset for offset in range(4)] for start in range(0, len(jpegs), 4)]
            for frame, rows in enumerate(frame_boxes):
                boxes += rows
                box_frames += [first + frame] * len(rows)
            if number % 200 == 199:
                print(f"{number + 1} scenes, {len(offsets) - 1} frames, {offsets[-1] / 1e6:.0f} MB", flush=True)
    np.savez(
        folder / "index.npz",
        offsets=np.array(offsets, np.int64),
        sequences=np.array(sequences, np.int32),
        boxes=np.array(boxes, np.int16).reshape(-1, 9),
        box_frames=np.array(box_frames, np.int32),
    )


def _draw_scene(number: int) -> tuple[list[bytes], list[list[tuple[int, ...]]]]:
    """Return the JPEGs of a scene's key frames, and the boxes of each."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng([7, number])
    flavour = FLAVOURS[number % 2]
    first_seed, style = SPLITS["train"]
    # more events than in the dataset, so that each class is more frequent in training
    n_events = int(rng.choice(4, p=(0.1, 0.3, 0.4, 0.2)))
    events = [str(name) for name in rng.choice(CLASSES[flavour], size=n_events)]
    scene = make_scene(first_seed + number, flavour=flavour, style=style, events=events)
    jpegs, frame_boxes = [], []
    for start in range(0, scene.n_frames - SEGMENT + 1, SEGMENT):
        first_index = start + int(rng.integers(STEP))
        quality = int(rng.integers(55, 96))
        for index in range(first_index, first_index + 4 * STEP, STEP):
            image = cv2.cvtColor(scene.frame(index), cv2.COLOR_RGB2BGR)
            jpegs.append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())
            rows = []
            for box in scene.boxes(index):
                event = CLASS_NAMES.index(box.event) if box.event else -1
                thing = THINGS.index(box.name) if box.name in THINGS else -1
                is_person = int(box.name == "person")
                rows.append((*box.box, round(100 * box.visible), event, is_person, box.actor, thing))
            frame_boxes.append(rows)
    return jpegs, frame_boxes
