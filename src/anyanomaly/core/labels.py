"""Ground truth per frame, from labels or spans."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

import numpy as np
import numpy.typing as npt

from anyanomaly.errors import DatasetError
from anyanomaly.types import LabelledVideo, Span, SpanUnit, TimeArray

SLACK = 2
"""Frames by which a video and its labels may differ in length; the longer of the two is then truncated."""

Labels = npt.NDArray[np.bool_]
"""bool (n_frames,): true where the event happens."""


def true_stretches(mask: Labels) -> npt.NDArray[np.int64]:
    """Return the stretches (n_stretches, 2) of true frames in a mask (n_frames,): first frame, frame after the last."""
    padded = np.concatenate(([False], mask, [False]))
    return np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)


def class_texts(video: LabelledVideo) -> dict[str, tuple[str, ...]]:
    """Return the classes that a video has labels or spans for, each with its event texts."""
    return {name: video.classes.get(name, (name,)) for name in (*video.labels, *video.spans)}


def span_unit(video: LabelledVideo, name: str) -> SpanUnit:
    """Return the unit of the spans of a class."""
    return video.units.get(name, video.unit)


def frame_labels(video: LabelledVideo, times_s: TimeArray) -> dict[str, Labels]:
    """Return the labels per class, bool (n_frames,), read-only.

    :param times_s: (n_frames,) presentation times of all frames of the video, seconds.
    :raises DatasetError: when the video has more or fewer frames than labels.
    """
    for name, labels in video.labels.items():
        if len(labels) != len(times_s):
            where = f" in {video.label_file}" if video.label_file else ""
            raise DatasetError(
                f"Video '{video.id}' has {len(times_s)} frames, and {len(labels)} labels of '{name}'{where}; there "
                f"must be one label per frame. One of the files is another version or incomplete: get both again."
            )
    from_spans = {name: _labels_of_spans(spans, span_unit(video, name), times_s) for name, spans in video.spans.items()}
    return {**video.labels, **from_spans}


def last_labelled_frame(video: LabelledVideo, name: str) -> int:
    """Return where the last span of a class stops, as the frame behind it; 0: it has no spans in frames."""
    stops = [stop for _, stop in video.spans.get(name, ())] if span_unit(video, name) == "frames" else []
    return ceil(max(stops, default=0))


def _labels_of_spans(spans: Iterable[Span], unit: SpanUnit, times_s: TimeArray) -> Labels:
    """Return which frames lie in a span."""
    n_frames = len(times_s)
    positions = times_s if unit == "seconds" else np.arange(n_frames, dtype=np.float64)
    inside = np.zeros(n_frames, np.bool_)
    for start, stop in spans:
        if unit == "share":
            start, stop = round(start * n_frames), round(stop * n_frames)
        inside |= (start <= positions) & (positions < stop)
    inside.flags.writeable = False
    return inside
