"""Weights of dense windows: how far a window covers each cell of a frame's tiles."""

from __future__ import annotations

import numpy as np
import pytest
from anyanomaly_openclip.coverage import tile_boxes, window_samples, window_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from anyanomaly.types import Box, FloatArray


@st.composite
def windows(draw: st.DrawFn) -> tuple[Box, tuple[int, int], int, tuple[int, int]]:
    """Draw a window, the size of its frame, the number of tiles along a side, and the cells of a tile."""
    height, width = draw(st.integers(5, 300)), draw(st.integers(5, 300))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    box = x0, y0, draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
    return box, (height, width), draw(st.integers(1, 5)), (draw(st.integers(1, 16)), draw(st.integers(1, 16)))


def frame_map(weights: FloatArray, n_tiles: int, grid: tuple[int, int]) -> FloatArray:
    """Return weights (tile by tile) as a map of the frame (n_tiles * rows, n_tiles * columns)."""
    rows, columns = grid
    by_tile = weights.reshape(n_tiles, n_tiles, rows, columns)
    return by_tile.transpose(0, 2, 1, 3).reshape(n_tiles * rows, n_tiles * columns)


@settings(deadline=None)
@given(windows())
def test_weights_are_fractions_of_which_the_largest_is_one(
    case: tuple[Box, tuple[int, int], int, tuple[int, int]],
) -> None:
    box, size, n_tiles, grid = case
    (weights,) = window_weights([box], size, n_tiles, grid)
    assert weights.dtype == np.float32
    assert weights.shape == (n_tiles**2 * grid[0] * grid[1],)
    assert weights.min() >= 0
    assert weights.max() == 1


@settings(deadline=None)
@given(windows())
def test_cells_outside_a_window_have_no_weight_and_cells_within_have_all(
    case: tuple[Box, tuple[int, int], int, tuple[int, int]],
) -> None:
    box, size, n_tiles, grid = case
    (weights,) = window_weights([box], size, n_tiles, grid)
    n_cells = grid[0] * grid[1]
    for tile, tile_weights in zip(tile_boxes(size, n_tiles), weights.reshape(-1, n_cells), strict=True):
        x0, y0, x1, y1 = tile
        for cell, weight in enumerate(tile_weights):
            row, column = divmod(cell, grid[1])
            left, right = (x0 + (x1 - x0) * edge / grid[1] for edge in (column, column + 1))
            top, bottom = (y0 + (y1 - y0) * edge / grid[0] for edge in (row, row + 1))
            is_outside = right <= box[0] + 1e-6 or left >= box[2] - 1e-6 or bottom <= box[1] or top >= box[3]
            is_within = box[0] <= left and right <= box[2] and box[1] <= top and bottom <= box[3]
            assert not (is_outside and weight > 1e-4)
            assert not (is_within and weight < 1 - 1e-4)


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 9), st.sampled_from([(48, 5), (80, 3), (120, 2), (240, 1)]))
def test_windows_that_cover_a_frame_once_cover_each_cell_once(
    n_tiles: int, cells: int, windows: tuple[int, int]
) -> None:
    """With equal largest fractions, the weights of all windows are in one proportion to the covered fractions."""
    size, count = windows
    boxes = [(x * size, y * size, (x + 1) * size, (y + 1) * size) for y in range(count) for x in range(count)]
    weights = window_weights(boxes, (240, 240), n_tiles, (cells, cells))
    n_cells = n_tiles * cells
    cell_side = 240 / n_cells
    down = np.array([[max(0, min(240 / n_cells * (i + 1), y1) - max(240 / n_cells * i, y0)) for i in range(n_cells)]
                     for _, y0, _, y1 in boxes]) / cell_side  # fmt: skip
    across = np.array([[max(0, min(240 / n_cells * (i + 1), x1) - max(240 / n_cells * i, x0)) for i in range(n_cells)]
                       for x0, _, x1, _ in boxes]) / cell_side  # fmt: skip
    covered = down[:, :, None] * across[:, None, :]
    np.testing.assert_allclose(covered.sum(axis=0), 1, atol=1e-6)
    for row, fractions in zip(weights, covered, strict=True):
        np.testing.assert_allclose(frame_map(row, n_tiles, (cells, cells)), fractions / fractions.max(), atol=1e-5)


@pytest.mark.parametrize("n_tiles", [1, 2, 3])
def test_the_whole_frame_and_each_tile_are_complete_cells(n_tiles: int) -> None:
    size, grid = (241, 239), (7, 7)
    whole, *tiles = window_weights([(0, 0, 239, 241), *tile_boxes(size, n_tiles)], size, n_tiles, grid)
    np.testing.assert_allclose(whole, 1, atol=1e-6)
    np.testing.assert_allclose(np.array(tiles), np.repeat(np.eye(n_tiles**2), 49, axis=1), atol=1e-6)


def test_tiles_cover_every_pixel_once() -> None:
    covered = np.zeros((50, 71), int)
    for x0, y0, x1, y1 in tile_boxes((50, 71), 4):
        covered[y0:y1, x0:x1] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize("box", [(10, 10, 10, 20), (300, 0, 310, 10)])
def test_a_window_without_pixels_of_the_frame_is_refused(box: Box) -> None:
    with pytest.raises(ValueError, match="covers no part"):
        window_weights([(0, 0, 5, 5), box], (240, 240), 2, (7, 7))


@settings(deadline=None)
@given(windows())
def test_samples_are_means_of_cells_that_the_window_covers(
    case: tuple[Box, tuple[int, int], int, tuple[int, int]],
) -> None:
    box, size, n_tiles, grid = case
    (samples,) = window_samples([box], size, n_tiles, grid)
    (weights,) = window_weights([box], size, n_tiles, grid)
    assert samples.shape == (grid[0] * grid[1], n_tiles**2 * grid[0] * grid[1])
    assert samples.min() >= 0
    np.testing.assert_allclose(samples.sum(axis=1), 1, atol=1e-5)
    assert not samples[:, weights == 0].any()


@settings(deadline=None)
@given(windows())
def test_samples_have_the_value_of_the_place_they_are_taken_at(
    case: tuple[Box, tuple[int, int], int, tuple[int, int]],
) -> None:
    """A map that grows steadily over the frame has, at a sample between two covered cells, the value of its centre."""
    box, size, n_tiles, grid = case
    size = (size[0] // n_tiles * n_tiles, size[1] // n_tiles * n_tiles)  # tiles of one size
    box = (box[0], box[1], min(box[2], size[1]), min(box[3], size[0]))
    if box[0] >= box[2] or box[1] >= box[3]:
        return
    (samples,) = window_samples([box], size, n_tiles, grid)
    n_columns = n_tiles * grid[1]
    centres = np.tile((np.arange(n_columns) + 0.5) * size[1] / n_columns, (n_tiles * grid[0], 1))
    by_tile = centres.reshape(n_tiles, grid[0], n_tiles, grid[1]).transpose(0, 2, 1, 3).ravel()
    values = (samples @ by_tile).reshape(grid)
    expected = box[0] + (np.arange(grid[1]) + 0.5) / grid[1] * (box[2] - box[0])
    half_cell = size[1] / n_columns / 2
    assert np.abs(values - expected).max() <= half_cell + 1e-3
    inside = (expected >= box[0] + half_cell) & (expected <= box[2] - half_cell)
    np.testing.assert_allclose(values[:, inside], np.tile(expected[inside], (grid[0], 1)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n_tiles", [1, 2, 3])
def test_the_samples_of_a_tile_are_its_cells(n_tiles: int) -> None:
    size, grid = (240, 240), (4, 4)
    samples = window_samples(tile_boxes(size, n_tiles), size, n_tiles, grid)
    for number, tile in enumerate(samples):
        np.testing.assert_allclose(tile, np.eye(16, 16 * n_tiles**2, 16 * number), atol=1e-6)
