"""A one-file plugin, given with ``-p``: a gate that rates what is red."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anyanomaly import GateSpec, hookimpl
from anyanomaly.api import Gate, Options
from anyanomaly.types import EventText, FloatArray, Segment


class RedGate(Gate[Options]):
    """Rates 0.25 and more: the redder the middle frame, the higher."""

    def rate(self, segments: Sequence[Segment], texts: Sequence[EventText]) -> FloatArray:
        images = [segment.frames[len(segment.frames) // 2].image.astype(np.float32) for segment in segments]
        levels = [0.25 + (image[..., 0] - image[..., 1]).mean() / 512 for image in images]
        return np.repeat(np.array(levels, np.float32)[:, None], len(texts), axis=1)


@hookimpl
def anyanomaly_register_gates() -> list[GateSpec]:
    return [GateSpec(name="red", summary="Rates what is red", target=f"{__name__}:RedGate")]
