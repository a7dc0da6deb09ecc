"""Colour augmentation: light, saturation, tint, hue and grain, so that the models do not depend on a palette."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

_GRAIN_SIZE = 1 << 21


def augment_colours(images: npt.NDArray[np.uint8], rng: np.random.Generator) -> torch.Tensor:
    """Return uint8 images (n, H, W, 3) as float (n, 3, H, W), 0 to 1, each with random colours and grain."""
    out = np.empty(images.shape, np.float32)
    grain = _grain()
    for image, augmented in zip(images, out, strict=True):
        gamma_curve = (np.arange(256, dtype=np.float32) / 255) ** rng.uniform(0.8, 1.25)
        cv2.transform(gamma_curve[image], _sample_colour_matrix(rng), dst=augmented)
        start = int(rng.integers(_GRAIN_SIZE - image.size))
        augmented += rng.uniform(0, 0.03) * grain[start : start + image.size].reshape(image.shape)
    np.clip(out, 0, 1, out=out)
    return torch.from_numpy(out).permute(0, 3, 1, 2)


def _sample_colour_matrix(rng: np.random.Generator) -> npt.NDArray[Any]:
    """Sample the matrix (3, 3) that mixes the channels."""
    matrix = np.eye(3)
    kind = rng.random()
    if kind < 0.1:  # infrared: one channel of light, tinted
        matrix = np.outer(rng.uniform(0.7, 1.0, 3), rng.dirichlet((2, 2, 2)))
    elif kind < 0.3:  # hue: channels swapped and mixed
        matrix = 0.75 * np.eye(3)[rng.permutation(3)] + 0.25 * rng.dirichlet((1, 1, 1), 3)
    saturation = rng.uniform(0.4, 1.3)
    matrix = saturation * matrix + (1 - saturation) * np.full((3, 3), 1 / 3) @ matrix
    return matrix * rng.uniform(0.6, 1.35) * rng.uniform(0.9, 1.1, (3, 1))


@cache
def _grain() -> npt.NDArray[np.float32]:
    return np.random.default_rng(5).standard_normal(_GRAIN_SIZE, dtype=np.float32)
