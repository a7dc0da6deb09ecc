"""The two forms of labels that a file may hold: one label per frame, or spans."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyanomaly.errors import DatasetError
from anyanomaly.types import Span, SpanUnit

Labels = npt.NDArray[np.bool_]
"""Labels (n_frames,), read-only; True: positive."""


@dataclass(frozen=True, slots=True)
class Spans:
    """Positive intervals of a video: starts and stops in ``unit``, the stop not included, sorted by start."""

    spans: tuple[Span, ...]
    unit: SpanUnit = "frames"


def parse_labels(values: Any, where: str) -> Labels:
    """Return labels of 0 and 1 as bool (n_frames,), read-only.

    :param values: numbers (n_frames,), or one row or one column of them.
    :param where: the file and key that they come from, for the message.
    :raises DatasetError: for another shape or another value.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DatasetError(f"{where}: labels must be one list of 0 and 1, not lists of different lengths.") from error
    if array.dtype.kind not in "buif":
        raise DatasetError(f"{where}: labels must be numbers 0 and 1, but their type is {array.dtype}.")
    if array.ndim > 1 and max(array.shape, default=0) == array.size:
        array = array.reshape(-1)  # a row or a column
    if array.ndim != 1 or not array.size:
        raise DatasetError(f"{where}: labels must be one row, a value per frame, but their shape is {array.shape}.")
    invalid = array[(array != 0) & (array != 1)]
    if invalid.size:
        raise DatasetError(f"{where}: labels must be 0 or 1; {invalid.size} are not, the first is {invalid[0]}.")
    labels = array.astype(np.bool_)
    labels.flags.writeable = False
    return labels


def parse_spans(pairs: Iterable[Any], unit: str, where: str) -> Spans:
    """Return spans, sorted by start.

    :param pairs: a start and a stop each, in ``unit``: frames, seconds, or share (of the video, from 0 to 1).
    :param where: the file and video that they come from, for the message.
    :raises DatasetError: for an unknown unit, or for anything but pairs of numbers that stop after they start.
    """
    if unit not in ("frames", "seconds", "share"):
        raise DatasetError(f"{where}: the unit of spans is frames, seconds or share (of the video), not '{unit}'.")
    spans = []
    for pair in pairs:
        try:
            start, stop = (float(value) for value in pair)
        except (TypeError, ValueError, OverflowError) as error:
            raise DatasetError(f"{where}: a span must be a start and a stop, not {reprlib.repr(pair)}.") from error
        if not 0 <= start < stop < math.inf:  # NaN too
            raise DatasetError(f"{where}: the span {start:g} to {stop:g} {unit} does not stop after its start.")
        spans.append((start, stop))
    return Spans(tuple(sorted(spans)), unit)  # type: ignore[arg-type]  # checked above
