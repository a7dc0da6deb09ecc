"""High dynamic range (PQ, HLG) to the range of ordinary screens, so that people and models see what was meant.

Sources: SMPTE ST 2084 (PQ), ITU-R BT.2100 (HLG and its OOTF), BT.2408 (reference white 203 cd/m2), BT.2087 (primaries),
BT.1886 (display gamma).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from av.video.reformatter import ColorTrc

from anyanomaly.builtin.opencv import opencv
from anyanomaly.types import FloatArray, ImageArray

HDR_TRANSFERS = frozenset({ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67})

REFERENCE_WHITE = 203.0
"""Luminance of white paper, cd/m2; it becomes 1.0."""

HLG_PEAK = 1000.0
"""Luminance of the nominal HLG display, cd/m2, whose system gamma is 1.2."""

KNEE = 0.5
"""Fraction of reference white below which nothing is compressed."""

_LUMA_2020 = np.array([0.2627, 0.678, 0.0593], np.float32)
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)  # from linear BT.2020, BT.2087


def tone_map(picture: Any, transfer: int) -> ImageArray:
    """Return a picture in BT.2020 primaries, uint16 (H, W, 3), as RGB of BT.709, uint8 (H, W, 3).

    Up to half of reference white light is kept; above, it is compressed so that no highlight is clipped.

    :param transfer: its transfer function, one of ``HDR_TRANSFERS``.
    """
    if transfer == ColorTrc.SMPTE2084:
        light = _pq_light()[picture]
    else:
        light = _hlg_scene_light()[picture]
        luminance = np.maximum(light @ _LUMA_2020, 1e-6)
        light *= (luminance**0.2 * (HLG_PEAK / REFERENCE_WHITE))[..., None]
    light = np.maximum(opencv().transform(light, _TO_709), 0)
    brightest = light.max(axis=2, keepdims=True)
    excess = np.maximum(brightest - KNEE, 0) / (1 - KNEE)
    compressed = KNEE + (1 - KNEE) * excess / (1 + excess)
    light *= np.where(brightest > KNEE, compressed / np.maximum(brightest, KNEE), 1)
    image: ImageArray = _display_codes()[(light * 65535 + 0.5).astype(np.uint16)]
    return image


@cache
def _pq_light() -> FloatArray:
    """Return the light of each 16-bit PQ code, relative to reference white."""
    root = (np.arange(65536) / 65535) ** (1 / 78.84375)
    light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    return (light * (10000 / REFERENCE_WHITE)).astype(np.float32)


@cache
def _hlg_scene_light() -> FloatArray:
    """Return the scene light of each 16-bit HLG code, in [0, 1]."""
    code = np.arange(65536) / 65535
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12).astype(np.float32)


@cache
def _display_codes() -> ImageArray:
    """Return the 8-bit code of each 16-bit level of linear light on a display of gamma 2.4."""
    return np.rint(255 * (np.arange(65536) / 65535) ** (1 / 2.4)).astype(np.uint8)
