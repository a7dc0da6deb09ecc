"""Windows of frames, and the vectors of names that windows are compared with (paper, section 3.3; WinCLIP)."""

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
    """Return the published text templates and hints of ``wording.toml``."""
    return tomllib.loads((files("anyanomaly.builtin") / "wording.toml").read_text(encoding="utf-8"))


def scales_of(options: WindowOptions) -> list[Scale]:
    """Return the windows by size, in the published order: small, middle, large."""
    sizes = [("small", options.small), ("middle", options.middle), ("large", options.large)]
    return window_scales(sizes, side=SIDE, stride=options.stride)


def boxes_of(options: WindowOptions) -> list[Box]:
    """Return all windows: small, middle, large, each row by row."""
    return [box for scale in scales_of(options) for box in scale.boxes]


def resize_frame(frame: Frame) -> Frame:
    """Return the frame that windows are cut from: 240x240 pixels, whatever the aspect ratio of ``frame``."""
    return Frame(frame.video, frame.index, frame.time_s, resize_image(frame.image, SIDE))


def window_crops(frame: Frame, windows: Sequence[Box]) -> list[Crop]:
    """Return crops for the windows of a frame that ``resize_frame`` returned."""
    return [Crop(frame, box, "stretch") for box in windows]


def resize_image(image: npt.NDArray[Any], side: int) -> Any:
    """Return an image (H, W, 3) or a map (H, W) resized to ``side`` x ``side``: bilinear, without antialiasing."""
    import cv2

    return cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)


def encode_names(encoder: Encoder[Options], names: Sequence[str], *, templates: bool) -> FloatArray:
    """Return unit vectors (n_names, dim): per name the mean over its texts, not normalised before, as published.

    :param templates: put each name into WinCLIP's text templates; else encode the name alone.
    :raises BackendError: when the encoder fails.
    """
    text_templates = wording()["window_templates"] if templates else ["{}"]
    texts = [template.replace("{}", name) for name in names for template in text_templates]
    vectors = encoder.encode_texts(texts, unit=False)
    means = vectors.reshape(len(names), len(text_templates), -1).mean(axis=1)
    unit: FloatArray = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
    return unit
