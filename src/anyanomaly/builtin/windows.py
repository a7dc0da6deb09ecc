"""Windows of frames for the encoder, and names as the windows are compared with them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from anyanomaly.api.encoder import Encoder
from anyanomaly.api.options import Options
from anyanomaly.builtin.options import SIDE, WindowOptions
from anyanomaly.core.grid import Scale, window_scales
from anyanomaly.types import Box, Crop, FloatArray, Frame


@cache
def wording() -> dict[str, Any]:
    """Return the published sentences that are not part of the question's templates."""
    return tomllib.loads((files("anyanomaly.builtin") / "wording.toml").read_text(encoding="utf-8"))


def scales(options: WindowOptions) -> list[Scale]:
    """Return the windows in the published order: small, middle, large."""
    sizes = [("small", options.small), ("middle", options.middle), ("large", options.large)]
    return window_scales(sizes, side=SIDE, stride=options.stride)


def boxes(options: WindowOptions) -> list[Box]:
    """Return the windows of all scales, one after another."""
    return [box for scale in scales(options) for box in scale.boxes]


def squared(frame: Frame) -> Frame:
    """Return the frame that windows are cut from: resized bilinearly to 240x240, its aspect ratio not kept."""
    return Frame(frame.video, frame.index, frame.time_s, resized(frame.image, SIDE))


def window_crops(square: Frame, windows: Sequence[Box]) -> list[Crop]:
    """Return windows of a squared frame."""
    return [Crop(square, box, "stretch") for box in windows]


def resized(image: npt.NDArray[Any], side: int) -> Any:
    """Resize bilinearly to ``side`` x ``side``, without corner alignment or antialiasing."""
    import cv2

    return cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)


def name_vectors(encoder: Encoder[Options], names: Sequence[str], *, templates: bool) -> FloatArray:
    """Return unit vectors (n_names, dim): each name's sentences averaged at the model's own length, as published."""
    sentences = wording()["window_templates"] if templates else ["{}"]
    texts = [sentence.replace("{}", name) for name in names for sentence in sentences]
    vectors = encoder.encode_texts(texts, unit=False)
    means = vectors.reshape(len(names), len(sentences), -1).mean(axis=1)
    unit: FloatArray = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
    return unit
