"""Which part of a frame's tiles each window covers: the weights of dense windows, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from anyanomaly.types import Box, FloatArray


def tile_edges(side: int, n_tiles: int) -> list[int]:
    """Return the edges (n_tiles + 1) of tiles of whole pixels along a side; they differ by one pixel at most."""
    return [round(number * side / n_tiles) for number in range(n_tiles + 1)]


def tile_boxes(size: tuple[int, int], n_tiles: int) -> list[Box]:
    """Return the n_tiles x n_tiles tiles of a frame of ``size`` (height, width), row by row."""
    rows, columns = (tile_edges(side, n_tiles) for side in size)
    return [(x0, y0, x1, y1) for y0, y1 in pairwise(rows) for x0, x1 in pairwise(columns)]


def window_weights(boxes: Sequence[Box], size: tuple[int, int], n_tiles: int, grid: tuple[int, int]) -> FloatArray:
    """Return how far each window covers the cells of a frame: float32 (n_windows, n_tiles**2 * rows * columns).

    The tiles of the frame follow each other row by row, and so do the cells within a tile. A weight is the covered
    fraction of the cell, divided by that of the window's most covered cell: a window smaller than a cell still has a
    cell with weight 1. A window that consists of complete cells has weights 0 and 1.

    :param size: height and width of the frame in pixels. :param grid: rows and columns of the cells of a tile.
    :raises ValueError: when a window covers no part of the frame.
    """
    n_rows, n_columns = grid
    down = _fractions([(box[1], box[3]) for box in boxes], tile_edges(size[0], n_tiles), n_rows)
    across = _fractions([(box[0], box[2]) for box in boxes], tile_edges(size[1], n_tiles), n_columns)
    covered = (down.reshape(-1, n_tiles, 1, n_rows, 1) * across.reshape(-1, 1, n_tiles, 1, n_columns)).reshape(
        len(boxes), n_tiles**2 * n_rows * n_columns
    )
    most = covered.max(axis=1, keepdims=True, initial=0)
    if len(boxes) and not most.min() > 0:
        raise ValueError("a window covers no part of its frame")
    weights: FloatArray = (covered / most).astype(np.float32)
    return weights


def _fractions(spans: Sequence[tuple[int, int]], edges: Sequence[int], n_cells: int) -> FloatArray:
    """Return the covered fraction (n_spans, n_tiles * n_cells) of the cells between the edges of tiles, by spans."""
    cells = np.concatenate([np.linspace(start, stop, n_cells, endpoint=False) for start, stop in pairwise(edges)])
    ends = np.append(cells[1:], edges[-1])
    starts, stops = np.array(spans, dtype=float).reshape(-1, 2).T[..., None]
    fractions: FloatArray = np.clip(np.minimum(stops, ends) - np.maximum(starts, cells), 0, None) / (ends - cells)
    return fractions
