"""Windows at several scales, attention maps and grids, as arrays (paper, section 3.3; WinCLIP, CVPR 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyanomaly.types import Box, FloatArray


@dataclass(frozen=True, slots=True)
class Scale:
    """The windows of one size, row by row."""

    name: str
    rows: int
    columns: int
    boxes: tuple[Box, ...]  # rows * columns


def window_scales(sizes: Sequence[tuple[str, int]], *, side: int, stride: bool = False) -> list[Scale]:
    """Return the windows of each (name, size) over a square image of ``side`` pixels; size 0 leaves a scale out.

    Windows do not overlap, or with ``stride`` advance by half their size; what does not fit is left out.
    """
    scales = []
    for name, size in sizes:
        if size == 0:
            continue
        starts = range(0, side - size + 1, max(1, size // 2) if stride else size)
        boxes = tuple((x, y, x + size, y + size) for y in starts for x in starts)
        scales.append(Scale(name, len(starts), len(starts), boxes))
    return scales


def softmax(similarities: FloatArray) -> FloatArray:
    """Return the softmax over the rows (n_names, n), without a temperature."""
    powers = np.exp(similarities - similarities.max(axis=0, keepdims=True))
    shares: FloatArray = powers / powers.sum(axis=0, keepdims=True)
    return shares


def attention_mask(similarity: FloatArray) -> FloatArray:
    """Return a map (h, w) min-max normalised to 0..1; a flat one, which says nothing, as all ones."""
    low, high = float(similarity.min()), float(similarity.max())
    if high - low <= 1e-7:  # about the rounding of float32 similarities
        return np.ones_like(similarity)
    mask: FloatArray = ((similarity - low) / (high - low)).astype(np.float32)
    return mask


def tile(images: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return four images (h, w, 3) as one (2h, 2w, 3), in reading order."""
    first, second, third, fourth = images
    return np.concatenate([np.concatenate([first, second], axis=1), np.concatenate([third, fourth], axis=1)])
