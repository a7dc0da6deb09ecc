"""What a label file holds: a label per frame, or spans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyanomaly.errors import DatasetError
from anyanomaly.types import Span, SpanUnit

Labels = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Spans:
    """Stretches of a video that are positive, in order."""

    spans: tuple[Span, ...]
    unit: SpanUnit = "frames"


def checked_labels(values: Any, where: str) -> Labels:
    """Return labels of 0 and 1 as bool (n_frames,), read-only.

    :param where: whose labels they are, for the message.
    :raises DatasetError: for another shape or another value.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "buif":
        raise DatasetError(f"{where}: labels must be numbers 0 and 1, and are {array.dtype}.")
    if array.ndim > 1 and max(array.shape, default=0) == array.size:
        array = array.reshape(-1)  # a row or a column
    if array.ndim != 1 or not array.size:
        raise DatasetError(f"{where}: labels must be one row, a value per frame, and have the shape {array.shape}.")
    other = array[(array != 0) & (array != 1)]
    if other.size:
        raise DatasetError(f"{where}: labels must be 0 or 1; there are {other.size} others, the first is {other[0]}.")
    labels = array.astype(np.bool_)
    labels.flags.writeable = False
    return labels


def checked_spans(pairs: Iterable[Any], unit: str, where: str) -> Spans:
    """Return spans in order.

    :raises DatasetError: for what is no pair of numbers, or stops before it starts.
    """
    if unit not in ("frames", "seconds", "share"):
        raise DatasetError(f"{where}: spans count frames, seconds or share (of the video), not '{unit}'.")
    spans = []
    for pair in pairs:
        try:
            start, stop = (float(value) for value in pair)
        except (TypeError, ValueError) as error:
            raise DatasetError(f"{where}: a span is a start and a stop, and {pair!r} is not.") from error
        if not 0 <= start < stop:  # NaN too
            raise DatasetError(f"{where}: the span {start:g} to {stop:g} {unit} does not stop after its start.")
        spans.append((start, stop))
    return Spans(tuple(sorted(spans)), unit)  # type: ignore[arg-type]  # looked at above
