"""What each 28 x 28 pixels of an image, which become one token, should say: the dense targets of the tower.

A row of targets is the classes, "person", and, in a grid, how the person there moves: NaN where that is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from draw import NAMES

N_CLASSES = len(NAMES)
N_TARGETS = N_CLASSES + 1  # and "person"
CHANGES = (0.25, 0.1, 0.12, 0.26)
"""What place (across, down), height and shape of people change by from tile to tile, on average: see ``mark_moves``."""
N_MOVES = 2 * len(CHANGES)  # to the next tile, and since the one before
SEEN = 33  # percent of an actor below which its event is not labelled
Floats = npt.NDArray[np.float32]
Boxes = npt.NDArray[np.int16]
Part = tuple[float, float, float, float]


def blank(high: int, wide: int) -> Floats:
    """Return the targets (high // 28, wide // 28, N_TARGETS + N_MOVES) of an image in which nothing is."""
    cells = np.zeros((high // 28, wide // 28, N_TARGETS + N_MOVES), np.float32)
    cells[..., N_TARGETS:] = np.nan
    return cells


def covered(
    box: Sequence[float], part: Part, at: tuple[int, int, int, int], cells: Floats
) -> Iterator[tuple[int, int, float]]:
    """Yield row, column and pixels of the ``cells`` that ``box`` covers enough.

    :param part: x0, y0, x1, y1 of the frame, shown at pixels ``at`` of the image.
    """
    (px, py, qx, qy), (ax, ay, bx, by) = part, at
    sx, sy = (bx - ax) / (qx - px), (by - ay) / (qy - py)
    x0, y0, x1, y1 = box[:4]
    left, right = max(ax + (x0 - px) * sx, ax), min(ax + (x1 - px) * sx, bx)
    top, bottom = max(ay + (y0 - py) * sy, ay), min(ay + (y1 - py) * sy, by)
    if right - left < 3 or bottom - top < 3:
        return
    for row in range(int(top // 28), min(int(bottom // 28), cells.shape[0] - 1) + 1):
        high = min(bottom, 28 * row + 28) - max(top, 28 * row)
        for column in range(int(left // 28), min(int(right // 28), cells.shape[1] - 1) + 1):
            share = high * (min(right, 28 * column + 28) - max(left, 28 * column))
            if share >= min(160.0, 0.3 * (right - left) * (bottom - top)):
                yield row, column, share


def mark(cells: Floats, boxes: Boxes, part: Part, at: tuple[int, int, int, int]) -> None:
    """Mark ``boxes`` in ``cells``: which classes are where, and where people are."""
    for box in boxes.tolist():
        for row, column, _ in covered(box, part, at, cells):
            if box[5] >= 0:
                cells[row, column, box[5]] = 1.0
            if box[6]:
                cells[row, column, N_CLASSES] = 1.0


def mark_moves(cells: Floats, frames: Sequence[Boxes], part: Part, side: int) -> None:
    """Mark in the ``cells`` of a grid, tiles of ``side`` pixels, how people move from frame to frame.

    Of what a person's feet are shifted by (heights), height (doubled log) and shape (log of width by height), the
    size without the sign, less its average: which way somebody moves was not learned, how far was.
    """
    people = [{int(box[7]): box for box in boxes.astype(float) if box[6] == 1} for boxes in frames]
    best = np.zeros(cells.shape[:2])
    for place, here in enumerate(people):
        row0, column0 = divmod(place, 2)
        at = (side * column0, side * row0, side * column0 + side, side * row0 + side)
        for who, box in here.items():
            if box[4] < SEEN:
                continue
            moves = np.full(N_MOVES, np.nan, np.float32)
            for half, other in enumerate((place + 1, place - 1)):
                if 0 <= other < len(people) and who in people[other]:
                    changes = _changes(box, people[other][who])
                    moves[half * len(CHANGES) :][: len(CHANGES)] = changes
            for row, column, share in covered(box, part, at, cells):
                if share > best[row, column]:
                    best[row, column] = share
                    cells[row, column, N_TARGETS:] = moves


def _changes(box: npt.NDArray[np.float64], later: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | float:
    wide, high, wide2, high2 = box[2] - box[0], box[3] - box[1], later[2] - later[0], later[3] - later[1]
    if later[4] < 20 or min(wide, high, wide2, high2) <= 2:
        return float("nan")
    across, down = (later[0] + later[2] - box[0] - box[2]) / 2 / high, 2 * (later[3] - box[3]) / high
    changes = np.array((across, down, 2 * np.log(high2 / high), np.log(wide2 / wide * high / high2)))
    return np.abs(changes).clip(max=1.5) - CHANGES
