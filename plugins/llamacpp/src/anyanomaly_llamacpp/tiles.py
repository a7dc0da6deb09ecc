"""Images cut into tiles as the image processors of transformers cut them, with the tokens around each tile."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from anyanomaly.types import ImageArray
from anyanomaly_llamacpp.images import IMAGE, ImageSizing, PreparedImage, resize


class IdeficsTiles(NamedTuple):
    """Idefics3 and SmolVLM: an image is scaled to its longest side, then to whole tiles; the complete image follows."""

    tile: int  # side in pixels
    longest_side: int
    tile_tokens: int

    @property
    def max_tokens(self) -> int:
        """Tokens of a tile: with this limit llama.cpp does not cut a tile again."""
        return self.tile_tokens

    def prepare(self, image: ImageArray, number: int) -> PreparedImage:
        """Return the tiles row by row, and the complete image at a tile's size."""
        image = resize(image, self._scaled(*image.shape[:2]), "lanczos")
        height, width = image.shape[:2]
        rows, columns = self._grid(height, width)
        image = resize(image, (rows * self.tile, columns * self.tile), "lanczos")
        complete = f"<fake_token_around_image><global-img>{IMAGE}<fake_token_around_image>"
        if rows == columns == 1:
            return PreparedImage(complete, [image])
        text = "".join(
            "".join(f"<fake_token_around_image><row_{row}_col_{column}>{IMAGE}" for column in range(1, columns + 1))
            + "\n"
            for row in range(1, rows + 1)
        )
        overview = resize(image, (self.tile, self.tile), "lanczos")
        return PreparedImage(f"{text}\n{complete}", [*cut(image, rows, columns), overview])

    def _scaled(self, height: int, width: int) -> tuple[int, int]:
        """Return the size with the longest side, the other side even."""
        if width >= height:
            shorter = int(self.longest_side / (width / height))
            return max(shorter + shorter % 2, 1), self.longest_side
        shorter = int(self.longest_side * (width / height))
        return self.longest_side, max(shorter + shorter % 2, 1)

    def _grid(self, height: int, width: int) -> tuple[int, int]:
        """Return the rows and columns of tiles: those of the longer side, and by the aspect ratio of the shorter."""
        if width >= height:
            columns = math.ceil(width / self.tile)
            return math.ceil(int(columns * self.tile / (width / height)) / self.tile), columns
        rows = math.ceil(height / self.tile)
        return rows, math.ceil(int(rows * self.tile * (width / height)) / self.tile)


class InternVlTiles(NamedTuple):
    """InternVL: the grid of tiles nearest to the image's aspect ratio; the complete image follows."""

    tile: int  # side in pixels
    min_tiles: int
    max_tiles: int

    @property
    def max_tokens(self) -> int:
        """More tokens than any tile takes."""
        return self.tile**2

    def prepare(self, image: ImageArray, number: int) -> PreparedImage:
        """Return the tiles row by row, and the complete image at a tile's size."""
        rows, columns = nearest_grid(image, self.min_tiles, self.max_tiles, self.tile)
        tiles = cut(resize(image, (rows * self.tile, columns * self.tile), "bicubic"), rows, columns)
        parts = [*tiles, resize(image, (self.tile, self.tile), "bicubic")] if len(tiles) > 1 else tiles
        return PreparedImage(f"<img>{IMAGE * len(parts)}</img>", parts)


class Lfm2Tiles(NamedTuple):
    """LFM2-VL: an image of any shape; one that is much too large becomes tiles, and the complete image follows."""

    sizing: ImageSizing
    tile: int  # side in pixels
    min_tiles: int
    max_tiles: int

    @property
    def max_tokens(self) -> int:
        """More tokens than any part takes."""
        return 4 * max(self.sizing.max_pixels, self.tile**2) // self.sizing.factor**2

    def prepare(self, image: ImageArray, number: int) -> PreparedImage:
        """Return the image, or its tiles row by row and the complete image, resized with a bilinear filter."""
        height, width = image.shape[:2]
        overview = resize(image, self.sizing.size(height, width), "bilinear")
        if not self._is_too_large(height, width):
            return PreparedImage(f"<|image_start|>{IMAGE}<|image_end|>", [overview])
        rows, columns = nearest_grid(image, self.min_tiles, self.max_tiles, self.tile)
        tiles = cut(resize(image, (rows * self.tile, columns * self.tile), "bilinear"), rows, columns)
        places = product(range(1, rows + 1), range(1, columns + 1))
        text = "".join(f"<|img_row_{row}_col_{column}|>{IMAGE}" for row, column in places)
        return PreparedImage(
            f"<|image_start|>{text}<|img_thumbnail|>{IMAGE}<|image_end|>",
            [*tiles, overview],
        )

    def _is_too_large(self, height: int, width: int) -> bool:
        factor = self.sizing.factor
        sides = [max(factor // 2, round(side / factor) * factor) for side in (height, width)]
        return math.prod(sides) > 2 * self.sizing.max_pixels


class MiniCpmSlices(NamedTuple):
    """MiniCPM-V 4.6: an overview, and slices of about the same area, at most as many as the area asks for."""

    slice_side: int  # side in pixels of a square of a slice's area
    factor: int  # sides are multiples of it
    max_slices: int

    @property
    def max_tokens(self) -> int:
        """More tokens than any part takes."""
        return 2 * (self.slice_side // self.factor + 1) ** 2

    def prepare(self, image: ImageArray, number: int) -> PreparedImage:
        """Return the overview and the slices row by row, resized with a bicubic filter."""
        height, width = image.shape[:2]
        grid = self._grid(height, width)
        overview = resize(image, self._best_size(height, width, enlarge=grid is None), "bicubic")
        text = f"<image_id>{number}</image_id><image>{IMAGE}</image>"
        if grid is None:
            return PreparedImage(text, [overview])
        rows, columns = grid
        slice_height, slice_width = self._best_size(
            _divisible(height, rows) / rows, _divisible(width, columns) / columns, enlarge=True
        )
        refined = resize(image, (slice_height * rows, slice_width * columns), "bicubic")
        row_text = f"<slice>{IMAGE}</slice>" * columns
        return PreparedImage(text + "\n".join([row_text] * rows), [overview, *cut(refined, rows, columns)])

    def _best_size(self, height: float, width: float, *, enlarge: bool) -> tuple[int, int]:
        """Return the size of a part with the aspect ratio of ``height`` and ``width``, at most a slice's area."""
        if enlarge or height * width > self.slice_side**2:
            ratio = width / height
            height = int(self.slice_side / math.sqrt(ratio))
            width = int(height * ratio)
        return _divisible(height, self.factor), _divisible(width, self.factor)

    def _grid(self, height: int, width: int) -> tuple[int, int] | None:
        """Return the rows and columns of slices; None: the image is no larger than a slice."""
        n_target = min(math.ceil(width * height / self.slice_side**2), self.max_slices)
        if n_target <= 1:
            return None
        log_ratio, grid, least_error = math.log(width / height), (1, 1), math.inf
        for rows, columns in self._grids(n_target):
            error = abs(log_ratio - math.log(columns / rows))
            if error < least_error or (error == least_error and rows > grid[0]):
                grid, least_error = (rows, columns), error
        return grid

    def _grids(self, n_target: int) -> Iterator[tuple[int, int]]:
        for n_slices in (n_target - 1, n_target, n_target + 1):
            if n_slices != 1 and n_slices <= self.max_slices:
                yield from ((rows, n_slices // rows) for rows in range(1, n_slices + 1) if n_slices % rows == 0)


def nearest_grid(image: ImageArray, min_tiles: int, max_tiles: int, tile: int) -> tuple[int, int]:
    """Return the (rows, columns) of the grid whose aspect ratio is nearest to that of ``image``.

    Of equally near grids the one with more tiles, as long as they cover less than twice the image's area.

    :param tile: side of a tile in pixels.
    """
    counts = range(1, max_tiles + 1)
    grids = [(columns, rows) for columns, rows in product(counts, counts) if min_tiles <= columns * rows <= max_tiles]
    height, width = image.shape[:2]
    nearest, least_difference = (1, 1), math.inf
    for columns, rows in sorted(grids, key=math.prod):
        difference = abs(width / height - columns / rows)
        if difference < least_difference:
            nearest, least_difference = (rows, columns), difference
        elif difference == least_difference and height * width > 0.5 * tile**2 * columns * rows:
            nearest = (rows, columns)
    return nearest


def cut(image: ImageArray, rows: int, columns: int) -> list[ImageArray]:
    """Return ``image`` cut into equal parts, row by row."""
    height, width = image.shape[0] // rows, image.shape[1] // columns
    corners = product(range(rows), range(columns))
    return [image[row * height : (row + 1) * height, column * width : (column + 1) * width] for row, column in corners]


def _divisible(length: float, divisor: int) -> int:
    return max(round(length / divisor) * divisor, divisor)
