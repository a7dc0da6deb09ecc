"""Changes how images look: light, colours, grain. What is trained so does not depend on a palette."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

_GRAIN = 1 << 21


def change_looks(images: npt.NDArray[np.uint8], rng: np.random.Generator) -> torch.Tensor:
    """Turn uint8 (n, H, W, 3) into float (n, 3, H, W) of 0 to 1 with other light, saturation, tint, hue and grain."""
    out = np.empty(images.shape, np.float32)
    grain = _grain()
    for image, changed in zip(images, out, strict=True):
        curve = (np.arange(256, dtype=np.float32) / 255) ** rng.uniform(0.8, 1.25)
        cv2.transform(curve[image], _mix(rng), dst=changed)
        start = int(rng.integers(_GRAIN - image.size))
        changed += rng.uniform(0, 0.03) * grain[start : start + image.size].reshape(image.shape)
    np.clip(out, 0, 1, out=out)
    return torch.from_numpy(out).permute(0, 3, 1, 2)


def _mix(rng: np.random.Generator) -> npt.NDArray[Any]:
    """Draw how the channels mix (3, 3)."""
    mix = np.eye(3)
    draw = rng.random()
    if draw < 0.1:  # infrared: one channel of light, tinted
        mix = np.outer(rng.uniform(0.7, 1.0, 3), rng.dirichlet((2, 2, 2)))
    elif draw < 0.3:  # hue: channels mixed into each other
        mix = 0.75 * np.eye(3)[rng.permutation(3)] + 0.25 * rng.dirichlet((1, 1, 1), 3)
    saturation = rng.uniform(0.4, 1.3)
    mix = saturation * mix + (1 - saturation) * np.full((3, 3), 1 / 3) @ mix
    return mix * rng.uniform(0.6, 1.35) * rng.uniform(0.9, 1.1, (3, 1))


@cache
def _grain() -> npt.NDArray[np.float32]:
    return np.random.default_rng(5).standard_normal(_GRAIN, dtype=np.float32)
