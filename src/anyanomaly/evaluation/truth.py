"""Ground truth of the videos of a run as spans in seconds, for reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from anyanomaly.core.labels import Labels, class_texts, frame_labels, true_stretches
from anyanomaly.evaluation.alignment import frame_times
from anyanomaly.evaluation.scores import ScoreTable, SegmentRow
from anyanomaly.evidence import Truth
from anyanomaly.types import LabelledVideo, TimeArray


def ground_truth(table: ScoreTable, videos: Iterable[LabelledVideo]) -> Iterator[Truth]:
    """Yield the ground truth of each video and event text that has scores: the union over the classes of the text.

    Frames without a score get none; labels behind the last frame with a score are left out.
    """
    for video in videos:
        classes_of_text: dict[str, list[str]] = {}
        for name, texts in class_texts(video).items():
            for text in texts:
                classes_of_text.setdefault(text, []).append(name)
        for text, names in classes_of_text.items():
            if rows := table.rows(video.id, text):
                yield Truth(video.id, text, _spans(video, names, rows))


def _spans(video: LabelledVideo, names: Sequence[str], rows: Sequence[SegmentRow]) -> tuple[tuple[float, float], ...]:
    n_frames = rows[-1].stop
    times_s = frame_times(rows, n_frames)
    mask = np.zeros(n_frames, np.bool_)
    for name in names:
        labels = _labels(video, name, times_s)[:n_frames]
        mask[: len(labels)] |= labels
    mask[: rows[0].start] = False  # a frame before the first score has no time
    ends_s = np.append(times_s[1:], rows[-1].stop_s)
    return tuple((float(times_s[start]), float(ends_s[stop - 1])) for start, stop in true_stretches(mask))


def _labels(video: LabelledVideo, name: str, times_s: TimeArray) -> Labels:
    """Return the labels of a class, bool (n_labels,): as many as frames, or as a label file has."""
    if name in video.labels:
        return np.asarray(video.labels[name], np.bool_)
    return frame_labels(replace(video, labels={}), times_s)[name]
