"""Dense windows: the vectors of all windows of a frame from one pass over its tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from anyanomaly.types import Box, FloatArray
from anyanomaly_openclip.class_windows import class_windows
from anyanomaly_openclip.pool_windows import pool_windows
from anyanomaly_openclip.resnet_windows import resnet_windows

_TOLERANCE = 1e-3
"""Largest difference of a unit vector's values from those of the complete tower."""


class DenseTower(Protocol):
    """An image tower that encodes windows of a frame from the tokens of the frame's tiles."""

    def describe(self, boxes: Sequence[Box], size: tuple[int, int], n_tiles: int) -> FloatArray:
        """Return where windows are among the cells of their frame's tiles, the first axis being the windows.

        :param size: height and width of the frame in pixels. :param n_tiles: along a side of the frame.
        :raises ValueError: when a window covers no part of the frame.
        """

    def encode(self, inputs: torch.Tensor, windows: torch.Tensor, n_tiles: int) -> torch.Tensor:
        """Return vectors (n_frames, n_windows, dim) of tiles (n_frames * n_tiles**2, 3, height, width).

        :param windows: what ``describe`` returns, the same for all frames.
        """


def find_dense_tower(model: Any) -> DenseTower | None:
    """Return the dense tower of a model; None: its image tower has none.

    A tower is accepted when a window that is one complete tile has the vector that the model itself gives the tile.
    So a variant of a tower that is not known here is refused, rather than encoded wrongly.
    """
    tower = getattr(model, "visual", None)
    dense: DenseTower | None = class_windows(tower) or resnet_windows(tower) or pool_windows(tower)
    if dense is None:
        return None
    parameter = next(model.visual.parameters())
    generator = torch.Generator().manual_seed(0)
    side = model.visual.image_size
    height, width = side if isinstance(side, tuple) else (side, side)
    inputs = torch.rand(1, 3, height, width, generator=generator).to(parameter)
    whole_window = torch.from_numpy(dense.describe([(0, 0, width, height)], (height, width), 1)).to(parameter.device)
    try:
        with torch.inference_mode():
            ours, whole = dense.encode(inputs, whole_window, 1)[0].float(), model.encode_image(inputs).float()
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, AttributeError):
        return None
    if ours.shape != whole.shape:
        return None
    tolerance = _TOLERANCE if parameter.dtype == torch.float32 else 50 * _TOLERANCE
    difference = torch.nn.functional.normalize(ours, dim=-1) - torch.nn.functional.normalize(whole, dim=-1)
    return dense if bool(difference.abs().max() < tolerance) else None


def encode_windows(
    tower: DenseTower, inputs: torch.Tensor, boxes: Sequence[Box], size: tuple[int, int], n_tiles: int
) -> torch.Tensor:
    """Return unit vectors (n_frames, n_windows, dim), float32, of the same windows of several frames.

    :param inputs: (n_frames * n_tiles**2, 3, height, width), the frames' tiles. :param size: of a frame in pixels.
    """
    windows = torch.from_numpy(tower.describe(boxes, size, n_tiles)).to(inputs.device)
    return torch.nn.functional.normalize(tower.encode(inputs, windows, n_tiles).float(), dim=-1)
