"""Draws training scenes once: the frames of segments' key frames as JPEG, and what is where in them.

A segment is 24 frames; its sequence is r, r + 6, r + 12, r + 18 (selector ``top-then-group``). One folder holds
``frames.bin`` (JPEG after JPEG) and ``index.npz``: ``offsets`` (n_frames + 1,) into it, ``sequences`` (n, 4) of frame
numbers, ``boxes`` (n_boxes, 9) of int16 (x0, y0, x1, y1, visible in percent, event, person, actor, thing) and
``box_frames`` (n_boxes,), the frame of each.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from anyanomaly_demo.scenes import ACTION, APPEARANCE, CLASSES, SPLITS, make_scene

NAMES = (*APPEARANCE, *ACTION)
"""The classes, in the order of their numbers."""
THINGS = (*APPEARANCE, "ball")
SEGMENT, STEP = 24, 6
FLAVOURS = tuple(CLASSES)


def draw(folder: Path, n_scenes: int, *, processes: int = 2) -> None:
    """Draw ``n_scenes`` training scenes into ``folder``, unless they are there."""
    if (folder / "index.npz").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    offsets, sequences, boxes, box_frames = [0], [], [], []
    with (folder / "frames.bin").open("wb") as file, ProcessPoolExecutor(processes) as pool:
        for number, (pictures, found) in enumerate(pool.map(_scene, range(n_scenes), chunksize=8)):
            first = len(offsets) - 1
            for picture in pictures:
                file.write(picture)
                offsets.append(offsets[-1] + len(picture))
            sequences += [[first + at + k for k in range(4)] for at in range(0, len(pictures), 4)]
            for at, rows in enumerate(found):
                boxes += rows
                box_frames += [first + at] * len(rows)
            if number % 200 == 199:
                print(f"{number + 1} scenes, {len(offsets) - 1} frames, {offsets[-1] / 1e6:.0f} MB", flush=True)
    np.savez(
        folder / "index.npz",
        offsets=np.array(offsets, np.int64),
        sequences=np.array(sequences, np.int32),
        boxes=np.array(boxes, np.int16).reshape(-1, 9),
        box_frames=np.array(box_frames, np.int32),
    )


def _scene(number: int) -> tuple[list[bytes], list[list[tuple[int, ...]]]]:
    cv2.setNumThreads(1)
    rng = np.random.default_rng([7, number])
    flavour = FLAVOURS[number % 2]
    first, style = SPLITS["train"]
    # more events than the data set has: a model sees each class more often
    count = int(rng.choice(4, p=(0.1, 0.3, 0.4, 0.2)))
    events = [str(name) for name in rng.choice(CLASSES[flavour], size=count)]
    scene = make_scene(first + number, flavour=flavour, style=style, events=events)
    pictures, found = [], []
    for start in range(0, scene.n_frames - SEGMENT + 1, SEGMENT):
        r = start + int(rng.integers(STEP))
        quality = int(rng.integers(55, 96))
        for index in range(r, r + 4 * STEP, STEP):
            picture = cv2.cvtColor(scene.frame(index), cv2.COLOR_RGB2BGR)
            pictures.append(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())
            rows = []
            for box in scene.boxes(index):
                event = NAMES.index(box.event) if box.event else -1
                thing = THINGS.index(box.name) if box.name in THINGS else -1
                person = int(box.name == "person")
                rows.append((*box.box, round(100 * box.visible), event, person, box.actor, thing))
            found.append(rows)
    return pictures, found


if __name__ == "__main__":
    import sys

    draw(Path(sys.argv[1]), int(sys.argv[2]))
