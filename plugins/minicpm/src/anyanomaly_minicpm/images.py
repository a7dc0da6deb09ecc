"""An image as views: the whole one made small and, when it is large, a grid of slices; each cut into patches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Size = tuple[int, int]  # width, height; or columns, rows


class Slicing(NamedTuple):
    """How a checkpoint's images are cut: its ``preprocessor_config.json``."""

    max_slices: int = 9
    scale: int = 448  # a view has about the area of a square of this side
    patch: int = 14
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    resizes: bool = True  # False (2.6 alone): an image is one view as it is


class View(NamedTuple):
    """One view: float32 (3, patch, patch * rows * columns), its patches side by side, row by row."""

    pixels: NDArray[np.float32]
    rows: int
    columns: int


def grid_of(size: Size, slicing: Slicing) -> Size | None:
    """Return the columns and rows that an image of ``size`` is sliced into; None: it is not.

    About as many slices as `Slicing.scale` squares fit the area; among the grids of that many, one more and one less,
    the one whose shape is nearest to the image's.
    """
    width, height = size
    ideal = min(math.ceil(width * height / slicing.scale**2), slicing.max_slices)
    if ideal <= 1 or not slicing.resizes:
        return None
    counts = [count for count in (ideal - 1, ideal, ideal + 1) if 1 < count <= slicing.max_slices]
    grids = [(columns, n // columns) for n in counts for columns in range(1, n + 1) if n % columns == 0]
    shape = math.log(width / height)
    return min(grids, key=lambda grid: abs(shape - math.log(grid[0] / grid[1])))


def views_of(image: Image, slicing: Slicing) -> list[View]:
    """Return the views of an RGB image: the whole first, then the slices of `grid_of`, row by row."""
    from PIL.Image import Resampling

    if not slicing.resizes:
        return [_view(image, slicing)]
    grid = grid_of(image.size, slicing)
    whole = image.resize(_fitted(image.size, slicing), Resampling.BICUBIC)
    if grid is None:
        return [_view(whole, slicing)]
    columns, rows = grid
    shares = _whole_times(image.width, columns) / columns, _whole_times(image.height, rows) / rows
    width, height = _fitted(shares, slicing)
    large = image.resize((width * columns, height * rows), Resampling.BICUBIC)
    corners = [(column * width, row * height) for row in range(rows) for column in range(columns)]
    slices = [large.crop((left, top, left + width, top + height)) for left, top in corners]
    return [_view(each, slicing) for each in (whole, *slices)]


def _fitted(size: tuple[float, float], slicing: Slicing) -> Size:
    """Return ``size`` in its shape with the area of a view, in whole patches."""
    shape = size[0] / size[1]
    height = int(slicing.scale / math.sqrt(shape))
    return _whole_times(int(height * shape), slicing.patch), _whole_times(height, slicing.patch)


def _whole_times(length: int, unit: int) -> int:
    return max(round(length / unit) * unit, unit)


def _view(image: Image, slicing: Slicing) -> View:
    side = slicing.patch
    rows, columns = image.height // side, image.width // side
    values = np.asarray(image).astype(np.float32) / 255
    values = (values - np.array(slicing.mean, np.float32)) / np.array(slicing.std, np.float32)
    patches = values[: rows * side, : columns * side].reshape(rows, side, columns, side, 3)
    strip = patches.transpose(4, 1, 0, 2, 3).reshape(3, side, rows * columns * side)
    return View(np.ascontiguousarray(strip), rows, columns)


def read_slicing(settings: dict[str, Any], *, resizes: bool) -> Slicing:
    """Return what a ``preprocessor_config.json`` says."""
    default = Slicing()
    mean: Sequence[float] = settings.get("norm_mean", default.mean)
    std: Sequence[float] = settings.get("norm_std", default.std)
    return Slicing(
        max_slices=int(settings.get("max_slice_nums", default.max_slices)),
        scale=int(settings.get("scale_resolution", default.scale)),
        patch=int(settings.get("patch_size", default.patch)),
        mean=tuple(mean),
        std=tuple(std),
        resizes=resizes,
    )
