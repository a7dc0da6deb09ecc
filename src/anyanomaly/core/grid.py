"""Windows at several scales, attention maps and grids, as arrays (paper, section 3.3; WinCLIP, CVPR 2023)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyanomaly.types import Box, FloatArray


@dataclass(frozen=True, slots=True)
class Scale:
    """The windows of one size over a square image."""

    name: str
    rows: int
    columns: int
    boxes: tuple[Box, ...]  # rows * columns, row by row


def window_scales(
    sizes: Sequence[tuple[str, int]], *, units: int, side: int | None = None, stride: bool = False
) -> list[Scale]:
    """Return the windows of each (name, size) over a square image whose side has ``units`` units; size 0: no windows.

    Windows do not overlap, or with ``stride`` overlap by half. No window covers the part at the right and lower edge
    that does not fill one. The number of windows depends on the units alone.

    :param side: the image's side in pixels, at least ``units``; None: a unit is a pixel. Boxes are in whole pixels, and
        those of one size are equally large.
    """
    side = units if side is None else side
    scales = []
    for name, size in sizes:
        if size == 0:
            continue
        step = max(1, size // 2) if stride else size
        starts = [start * side // units for start in range(0, units - size + 1, step)]
        n_pixels = size * side // units
        boxes = tuple((x, y, x + n_pixels, y + n_pixels) for y in starts for x in starts)
        scales.append(Scale(name, len(starts), len(starts), boxes))
    return scales


def without_nested(boxes: Iterable[Box], n: int) -> list[Box]:
    """Return the first ``n`` boxes, without those that contain a box returned before or lie in one."""
    selected: list[Box] = []
    for box in boxes:
        if len(selected) < n and not any(_contains(box, earlier) or _contains(earlier, box) for earlier in selected):
            selected.append(box)
    return selected


def _contains(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def softmax(similarities: FloatArray) -> FloatArray:
    """Return the softmax of similarities (n_names, n_windows) over the names, without a temperature, as published."""
    powers = np.exp(similarities - similarities.max(axis=0, keepdims=True))
    probabilities: FloatArray = powers / powers.sum(axis=0, keepdims=True)
    return probabilities


def attention_mask(similarity: FloatArray, min_brightness: float = 0.0) -> FloatArray:
    """Return a similarity map (h, w), min-max normalised to ``min_brightness``..1 (paper, section 3.3).

    A flat map is returned as all ones, so that it gives the plain frame. The published code divides zero by zero, which
    makes the frame black, or rounding noise by its own range, which masks the frame by noise. A map is flat where
    all its windows are equally similar: always where a single window covers the frame, as the large window alone of
    C-Avenue does.
    """
    low, high = float(similarity.min()), float(similarity.max())
    if high - low <= 1e-7:  # about the rounding of float32 similarities
        return np.ones_like(similarity)
    mask: FloatArray = ((similarity - low) / (high - low)).astype(np.float32)
    return min_brightness + (1 - min_brightness) * mask


def tile(images: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return four images (h, w, 3) as one (2h, 2w, 3), in reading order (paper, section 3.3: the temporal context)."""
    first, second, third, fourth = images
    return np.concatenate([np.concatenate([first, second], axis=1), np.concatenate([third, fourth], axis=1)])
