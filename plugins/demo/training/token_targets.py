"""Dense targets of the vision tower: what each token, 28 x 28 pixels of an image, shows.

The targets of a token are the classes, "person", and, in a grid, how the person there moves (NaN: unknown).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from draw_scenes import CLASS_NAMES

N_CLASSES = len(CLASS_NAMES)
N_TARGETS = N_CLASSES + 1  # the classes and "person"
MEAN_CHANGES = (0.25, 0.1, 0.12, 0.26)
"""Mean change of people from tile to tile in position (across, down), height and shape: see ``mark_motion``."""
N_MOVES = 2 * len(MEAN_CHANGES)  # to the next tile, and from the previous one
MIN_VISIBLE = 33  # percent of an actor that must be visible for its event to be labelled
Floats = npt.NDArray[np.float32]
Boxes = npt.NDArray[np.int16]
Region = tuple[float, float, float, float]


def empty_targets(high: int, wide: int) -> Floats:
    """Return the targets (high // 28, wide // 28, N_TARGETS + N_MOVES) of an empty image, sizes in pixels."""
    targets = np.zeros((high // 28, wide // 28, N_TARGETS + N_MOVES), np.float32)
    targets[..., N_TARGETS:] = np.nan
    return targets


def covered_tokens(
    box: Sequence[float], region: Region, tile: tuple[int, int, int, int], targets: Floats
) -> Iterator[tuple[int, int, float]]:
    """Yield row, column and covered pixels of each token that ``box`` covers enough.

    :param region: x0, y0, x1, y1 of the frame, which the image shows at its pixels ``tile`` (x0, y0, x1, y1).
    """
    (px, py, qx, qy), (ax, ay, bx, by) = region, tile
    sx, sy = (bx - ax) / (qx - px), (by - ay) / (qy - py)
    x0, y0, x1, y1 = box[:4]
    left, right = max(ax + (x0 - px) * sx, ax), min(ax + (x1 - px) * sx, bx)
    top, bottom = max(ay + (y0 - py) * sy, ay), min(ay + (y1 - py) * sy, by)
    if right - left < 3 or bottom - top < 3:
        return
    for row in range(int(top // 28), min(int(bottom // 28), targets.shape[0] - 1) + 1):
        high = min(bottom, 28 * row + 28) - max(top, 28 * row)
        for column in range(int(left // 28), min(int(right // 28), targets.shape[1] - 1) + 1):
            n_pixels = high * (min(right, 28 * column + 28) - max(left, 28 * column))
            if n_pixels >= min(160.0, 0.3 * (right - left) * (bottom - top)):
                yield row, column, n_pixels


def mark_boxes(targets: Floats, boxes: Boxes, region: Region, tile: tuple[int, int, int, int]) -> None:
    """Set in ``targets`` the classes and "person" of the tokens that ``boxes`` cover."""
    for box in boxes.tolist():
        for row, column, _ in covered_tokens(box, region, tile, targets):
            if box[5] >= 0:
                targets[row, column, box[5]] = 1.0
            if box[6]:
                targets[row, column, N_CLASSES] = 1.0


def mark_motion(targets: Floats, frames: Sequence[Boxes], region: Region, side: int) -> None:
    """Set in the ``targets`` of a grid, with tiles of ``side`` pixels, how people change from tile to tile.

    The changes are the shift of the feet (in heights of the person), the height (doubled logarithm) and the shape
    (logarithm of width by height): their absolute values, less the mean. The tower learned how far people move, but
    not in which direction.
    """
    people = [{int(box[7]): box for box in boxes.astype(float) if box[6] == 1} for boxes in frames]
    most_pixels = np.zeros(targets.shape[:2])
    for index, boxes in enumerate(people):
        row0, column0 = divmod(index, 2)
        tile = (side * column0, side * row0, side * column0 + side, side * row0 + side)
        for actor, box in boxes.items():
            if box[4] < MIN_VISIBLE:
                continue
            moves = np.full(N_MOVES, np.nan, np.float32)
            for half, neighbour in enumerate((index + 1, index - 1)):
                if 0 <= neighbour < len(people) and actor in people[neighbour]:
                    changes = _measure_changes(box, people[neighbour][actor])
                    moves[half * len(MEAN_CHANGES) :][: len(MEAN_CHANGES)] = changes
            for row, column, n_pixels in covered_tokens(box, region, tile, targets):
                if n_pixels > most_pixels[row, column]:
                    most_pixels[row, column] = n_pixels
                    targets[row, column, N_TARGETS:] = moves


def _measure_changes(
    box: npt.NDArray[np.float64], neighbour: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64] | float:
    wide, high = box[2] - box[0], box[3] - box[1]
    next_wide, next_high = neighbour[2] - neighbour[0], neighbour[3] - neighbour[1]
    if neighbour[4] < 20 or min(wide, high, next_wide, next_high) <= 2:
        return float("nan")
    across, down = (neighbour[0] + neighbour[2] - box[0] - box[2]) / 2 / high, 2 * (neighbour[3] - box[3]) / high
    changes = np.array((across, down, 2 * np.log(next_high / high), np.log(next_wide / wide * high / next_high)))
    return np.abs(changes).clip(max=1.5) - MEAN_CHANGES
