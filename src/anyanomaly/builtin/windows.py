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
from anyanomaly.builtin.options import FRAME_UNITS, Encoding, WindowOptions
from anyanomaly.core.grid import Scale, window_scales
from anyanomaly.types import Box, Crop, Fit, FloatArray, Frame

FRAME_SIDE = 240
"""Side in pixels of the square frame that windows are cut from, as published, for CLIP's input of 224 pixels."""


@cache
def wording() -> dict[str, Any]:
    """Return the published text templates and hints of ``wording.toml``."""
    return tomllib.loads((files("anyanomaly.builtin") / "wording.toml").read_text(encoding="utf-8"))


def frame_side(encoder: Encoder[Options]) -> int:
    """Return the side in pixels of the square frame from which windows for a loaded encoder are cut.

    It is 240 for inputs of up to 224 pixels, as published, and in the same proportion for larger ones, so that a window
    has as many pixels per pixel of the model's input. It is a multiple of 30, which divides into windows of a half, a
    third and a fifth of the side without a rest.
    """
    return max(FRAME_SIDE, 30 * round(encoder.image_size / 28))


def scales_of(options: WindowOptions, encoder: Encoder[Options]) -> list[Scale]:
    """Return the windows by size, in the published order: small, middle, large."""
    sizes = [("small", options.small), ("middle", options.middle), ("large", options.large)]
    return window_scales(sizes, units=FRAME_UNITS, side=frame_side(encoder), stride=options.stride)


def boxes_of(options: WindowOptions, encoder: Encoder[Options]) -> list[Box]:
    """Return all windows: small, middle, large, each row by row."""
    return [box for scale in scales_of(options, encoder) for box in scale.boxes]


def boxes_of_sizes(sizes: Sequence[int], encoder: Encoder[Options]) -> list[Box]:
    """Return the windows of each size, in units of the frame's side, row by row."""
    scales = window_scales([("", size) for size in sizes], units=FRAME_UNITS, side=frame_side(encoder))
    return [box for scale in scales for box in scale.boxes]


def resize_frame(frame: Frame, encoder: Encoder[Options]) -> Frame:
    """Return the frame that windows are cut from: a square of ``frame_side`` pixels, whatever its aspect ratio."""
    return Frame(frame.video, frame.index, frame.time_s, resize_image(frame.image, frame_side(encoder)))


def window_crops(frame: Frame, windows: Sequence[Box], encoding: Encoding) -> list[Crop]:
    """Return crops for the windows of a frame that ``resize_frame`` returned."""
    fit: Fit = "dense" if encoding == "dense" else "stretch"
    return [Crop(frame, box, fit) for box in windows]


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
