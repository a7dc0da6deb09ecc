"""Which cells of a frame's tiles each window covers, and how far: the geometry of dense windows, as arrays.

The tiles of a frame follow each other row by row, and so do the cells within a tile.
"""

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

    A weight is the covered fraction of the cell, divided by that of the window's most covered cell: a window smaller
    than a cell still has a cell with weight 1. A window that consists of complete cells has weights 0 and 1.

    :param size: height and width of the frame in pixels. :param grid: rows and columns of the cells of a tile.
    :raises ValueError: when a window covers no part of the frame.
    """
    (down, across), (n_rows, n_columns) = _fractions(boxes, size, n_tiles, grid), grid
    covered = down.reshape(-1, n_tiles, 1, n_rows, 1) * across.reshape(-1, 1, n_tiles, 1, n_columns)
    covered = covered.reshape(len(boxes), n_tiles**2 * n_rows * n_columns)
    weights: FloatArray = (covered / covered.max(axis=1, keepdims=True)).astype(np.float32)
    return weights


def window_samples(boxes: Sequence[Box], size: tuple[int, int], n_tiles: int, grid: tuple[int, int]) -> FloatArray:
    """Return the weights by which each window's cells become a tile's: float32 (n_windows, rows * columns, n_cells).

    ``n_cells`` is n_tiles**2 * rows * columns. The window is divided into as many cells as a tile has. Each is sampled
    at its centre, bilinearly between the centres of the frame's cells, of which only those count that the window
    covers: no other part of the frame is seen. For a window that is one tile, each sample is a cell of the tile.

    :raises ValueError: as `window_weights`.
    """
    axes = []
    for axis, (fractions, side, n_cells) in enumerate(
        zip(_fractions(boxes, size, n_tiles, grid), size, grid, strict=True)
    ):
        starts, ends = _cells(tile_edges(side, n_tiles), n_cells)
        centres = (starts + ends) / 2
        spans = np.array([(box[1 - axis], box[3 - axis]) for box in boxes], dtype=float).reshape(-1, 2)
        points = spans[:, :1] + (np.arange(n_cells) + 0.5) / n_cells * (spans[:, 1:] - spans[:, :1])
        after = np.clip(np.searchsorted(centres, points), 1, max(1, len(centres) - 1))
        gaps = np.diff(centres, append=np.inf) if len(centres) == 1 else np.diff(centres)
        share = np.clip((points - centres[after - 1]) / gaps[after - 1], 0, 1)[..., None]
        cells = np.arange(len(centres))
        weights = (cells == after[..., None] - 1) * (1 - share) + (cells == after[..., None]) * share
        weights = weights * (fractions[:, None] > 0)
        axes.append(weights / weights.sum(axis=2, keepdims=True))
    down, across = axes
    n_rows, n_columns = grid
    samples = down.reshape(-1, n_rows, 1, n_tiles, 1, n_rows, 1) * across.reshape(
        -1, 1, n_columns, 1, n_tiles, 1, n_columns
    )
    flat: FloatArray = samples.reshape(len(boxes), n_rows * n_columns, -1).astype(np.float32)
    return flat


def _cells(edges: Sequence[int], n_cells: int) -> tuple[FloatArray, FloatArray]:
    """Return where the cells between the edges of tiles start and end (n_tiles * n_cells), in pixels."""
    starts = np.concatenate([np.linspace(start, stop, n_cells, endpoint=False) for start, stop in pairwise(edges)])
    return starts, np.append(starts[1:], edges[-1])


def _fractions(
    boxes: Sequence[Box], size: tuple[int, int], n_tiles: int, grid: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """Return the covered fractions of the rows and of the columns of cells: (n_windows, n_tiles * cells of a tile)."""
    fractions = []
    for axis, (side, n_cells) in enumerate(zip(size, grid, strict=True)):
        starts, ends = _cells(tile_edges(side, n_tiles), n_cells)
        spans = np.array([(box[1 - axis], box[3 - axis]) for box in boxes], dtype=float).reshape(-1, 2, 1)
        covered = np.minimum(spans[:, 1], ends) - np.maximum(spans[:, 0], starts)
        fractions.append(np.clip(covered, 0, None) / (ends - starts))
        if not (fractions[-1].max(axis=1) > 0).all():
            raise ValueError("a window covers no part of its frame")
    down, across = fractions
    return down, across
