"""A one-file plugin with a gate: from the share of a segment that is red, and the number of the segment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from anyanomaly import GateSpec, hookimpl
from anyanomaly.api import Gate, Options
from anyanomaly.errors import BackendError
from anyanomaly.types import EventText, FloatArray, Segment


class RednessOptions(Options):
    fails: bool = Field(False, description="fail at the second segment")


class RednessGate(Gate[RednessOptions]):
    """0.9 where a segment is red for "red", 0.1 elsewhere."""

    def rate(self, segments: Sequence[Segment], texts: Sequence[EventText]) -> FloatArray:
        if self.options.fails and any(segment.index for segment in segments):
            raise BackendError("The gate has lost its background.")
        rows = np.full((len(segments), len(texts)), 0.1, dtype=np.float32)
        for row, segment in zip(rows, segments, strict=True):
            is_red = any((frame.image[..., 0] > 200).any() for frame in segment.frames)
            for column, text in enumerate(texts):
                if is_red and text.text == "red":
                    row[column] = 0.9
        return rows


@hookimpl
def anyanomaly_register_gates() -> list[GateSpec]:
    target, options = f"{__name__}:RednessGate", f"{__name__}:RednessOptions"
    return [GateSpec(name="redness", summary="Red segments first", target=target, options=options)]
