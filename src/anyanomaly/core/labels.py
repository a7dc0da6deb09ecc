"""Ground truth of a video's frames, from labels or spans."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from anyanomaly.errors import DatasetError
from anyanomaly.types import LabelledVideo, Span, SpanUnit, TimeArray

SLACK = 2
"""Frames by which a decoder and a label file may disagree; the longer of both is cut."""

Labels = npt.NDArray[np.bool_]


def class_texts(video: LabelledVideo) -> dict[str, tuple[str, ...]]:
    """Return the classes that a video has labels for, each with the event texts whose maximum scores it."""
    return {name: video.classes.get(name, (name,)) for name in (*video.labels, *video.spans)}


def frame_labels(video: LabelledVideo, times_s: TimeArray) -> dict[str, Labels]:
    """Return the labels per class, bool (n_frames,), read-only.

    :param times_s: (n_frames,) presentation times of all frames of the video, seconds.
    :raises DatasetError: when the video has more or fewer frames than labels.
    """
    for name, labels in video.labels.items():
        if len(labels) != len(times_s):
            where = f" in {video.label_file}" if video.label_file else ""
            raise DatasetError(
                f"Video '{video.id}' has {len(times_s)} frames, and {len(labels)} labels of '{name}'{where}; labels "
                f"must fit frame by frame, so one of them is another version, or cut short."
            )
    spanned = {name: _covered(spans, video.unit, times_s) for name, spans in video.spans.items()}
    return {**video.labels, **spanned}


def _covered(spans: Iterable[Span], unit: SpanUnit, times_s: TimeArray) -> Labels:
    """Return which frames lie in a span."""
    count = len(times_s)
    place = times_s if unit == "seconds" else np.arange(count, dtype=np.float64)
    inside = np.zeros(count, np.bool_)
    for start, stop in spans:
        if unit == "share":
            start, stop = round(start * count), round(stop * count)
        inside |= (start <= place) & (place < stop)
    inside.flags.writeable = False
    return inside
