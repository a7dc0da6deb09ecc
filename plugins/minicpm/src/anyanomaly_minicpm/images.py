"""Views of an image: the resized image and, when it is large, a grid of slices; each view is cut into patches."""

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
    """Settings for slicing images, from ``preprocessor_config.json`` of a checkpoint."""

    max_slices: int = 9
    scale: int = 448  # a view has about the area of a square of this side, in pixels
    patch: int = 14  # side in pixels
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    resizes: bool = True  # False (only in 2.6): an image is one view of its own size


class View(NamedTuple):
    """One view; its pixels are float32 (3, patch, patch * rows * columns), patches side by side, row by row."""

    pixels: NDArray[np.float32]
    rows: int
    columns: int


def slice_grid(size: Size, slicing: Slicing) -> Size | None:
    """Return columns and rows of the slices of an image; None: it is not sliced.

    The number of slices is about the image's area divided by that of a view. Among the grids of that number, of one
    more and of one less, the one whose aspect ratio is nearest to the image's is used.

    :param size: width and height in pixels.
    """
    width, height = size
    n_ideal = min(math.ceil(width * height / slicing.scale**2), slicing.max_slices)
    if n_ideal <= 1 or not slicing.resizes:
        return None
    counts = [count for count in (n_ideal - 1, n_ideal, n_ideal + 1) if 1 < count <= slicing.max_slices]
    grids = [(columns, n // columns) for n in counts for columns in range(1, n + 1) if n % columns == 0]
    log_ratio = math.log(width / height)
    return min(grids, key=lambda grid: abs(log_ratio - math.log(grid[0] / grid[1])))


def make_views(image: Image, slicing: Slicing) -> list[View]:
    """Return the views of an RGB image: first the resized image, then the slices of `slice_grid`, row by row."""
    from PIL.Image import Resampling

    if not slicing.resizes:
        return [_make_view(image, slicing)]
    grid = slice_grid(image.size, slicing)
    overview = image.resize(_view_size(image.size, slicing), Resampling.BICUBIC)
    if grid is None:
        return [_make_view(overview, slicing)]
    columns, rows = grid
    slice_size = _round_to_multiple(image.width, columns) / columns, _round_to_multiple(image.height, rows) / rows
    width, height = _view_size(slice_size, slicing)
    large = image.resize((width * columns, height * rows), Resampling.BICUBIC)
    corners = [(column * width, row * height) for row in range(rows) for column in range(columns)]
    slices = [large.crop((left, top, left + width, top + height)) for left, top in corners]
    return [_make_view(view_image, slicing) for view_image in (overview, *slices)]


def _view_size(size: tuple[float, float], slicing: Slicing) -> Size:
    """Return width and height with the area of a view and the aspect ratio of ``size``, as multiples of a patch."""
    ratio = size[0] / size[1]
    height = int(slicing.scale / math.sqrt(ratio))
    return _round_to_multiple(int(height * ratio), slicing.patch), _round_to_multiple(height, slicing.patch)


def _round_to_multiple(length: int, unit: int) -> int:
    return max(round(length / unit) * unit, unit)


def _make_view(image: Image, slicing: Slicing) -> View:
    side = slicing.patch
    rows, columns = image.height // side, image.width // side
    values = np.asarray(image).astype(np.float32) / 255
    values = (values - np.array(slicing.mean, np.float32)) / np.array(slicing.std, np.float32)
    patches = values[: rows * side, : columns * side].reshape(rows, side, columns, side, 3)
    pixels = patches.transpose(4, 1, 0, 2, 3).reshape(3, side, rows * columns * side)
    return View(np.ascontiguousarray(pixels), rows, columns)


def read_slicing(settings: dict[str, Any], *, resizes: bool) -> Slicing:
    """Return the settings for slicing in ``settings``, the content of ``preprocessor_config.json``."""
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
