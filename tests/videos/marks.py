"""Pictures that show their own number, orientation and colours, so that the right values never come from our reader.

A picture is a grid of 6 x 4 cells: a red, green, yellow and blue corner, and 12 cells in the middle, which are the bits
of the picture's number, black or white. The rest is grey.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""uint8 (H, W, 3), RGB."""

COLUMNS, ROWS = 6, 4
SIZE = (128, 96)
"""Width and height of a picture in pixels, where a test does not need another."""
COLOURS = {"red": (200, 30, 30), "green": (30, 170, 40), "yellow": (210, 210, 40), "blue": (40, 40, 200)}
"""Colours of the corners, clockwise from the top left."""
GREY, BLACK, WHITE = 128, 16, 235

TURNS: dict[str, Callable[[Picture], Picture]] = {
    "upright": lambda picture: picture,
    "turned right": lambda picture: np.rot90(picture, -1),
    "upside down": lambda picture: np.rot90(picture, 2),
    "turned left": lambda picture: np.rot90(picture, 1),
    "mirrored": lambda picture: picture[:, ::-1],
    "mirrored and turned right": lambda picture: np.rot90(picture[:, ::-1], -1),
    "flipped": lambda picture: picture[::-1],
    "mirrored and turned left": lambda picture: np.rot90(picture[:, ::-1], 1),
}
"""The eight ways to show a picture, each with the operation that makes it from an upright one."""


def draw(number: int, size: tuple[int, int] = SIZE) -> Picture:
    """Return the picture of a number, 0 to 4095; ``size`` is its width and height in pixels."""
    cells = np.full((ROWS, COLUMNS, 3), GREY, np.uint8)
    cells[0, 0], cells[0, -1], cells[-1, -1], cells[-1, 0] = COLOURS.values()
    bits = [WHITE if number >> bit & 1 else BLACK for bit in range(2 * COLUMNS)]
    cells[1:3] = np.array(bits, np.uint8).reshape(2, COLUMNS, 1)
    width, height = size
    rows, columns = np.arange(height) * ROWS // height, np.arange(width) * COLUMNS // width
    return np.ascontiguousarray(cells[rows][:, columns])


def read_number(image: Picture) -> int:
    """Return the number that an upright image shows."""
    bits = _cell_means(image)[1:3].mean(axis=2).ravel() > GREY
    return sum(1 << bit for bit, is_set in enumerate(bits) if is_set)


def read_numbers(images: Sequence[Picture]) -> list[int]:
    """Return the numbers that upright images show."""
    return [read_number(image) for image in images]


def orientation(image: Picture) -> str:
    """Return the name in ``TURNS`` of the way in which an image is shown, by the colours of its corners."""
    return min(TURNS, key=lambda name: np.abs(_corners(image) - _corners(TURNS[name](draw(0)))).sum())


def colour_error(image: Picture, *, turn: str = "upright") -> float:
    """Return the largest difference of a corner's mean colour from what was drawn, in grey levels."""
    return float(np.abs(_corners(image) - _corners(TURNS[turn](draw(0)))).max())


def _corners(image: Picture) -> npt.NDArray[np.float64]:
    """Return the mean colours of the middles of the four corners, clockwise from the top left, (4, 3)."""
    height, width, _ = image.shape
    columns, rows = (COLUMNS, ROWS) if width > height else (ROWS, COLUMNS)
    means = _cell_means(image, rows, columns)
    return np.array([means[0, 0], means[0, -1], means[-1, -1], means[-1, 0]])


def _cell_means(image: Picture, rows: int = ROWS, columns: int = COLUMNS) -> npt.NDArray[np.float64]:
    """Return the mean colour of the middle of each cell, (rows, columns, 3)."""
    height, width, _ = image.shape
    means = np.empty((rows, columns, 3))
    for row in range(rows):
        for column in range(columns):
            top, bottom = (int(height * (row + part) / rows) for part in (0.3, 0.7))
            left, right = (int(width * (column + part) / columns) for part in (0.3, 0.7))
            means[row, column] = image[top:bottom, left:right].mean(axis=(0, 1))
    return means
