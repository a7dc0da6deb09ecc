"""Segment scores and labels of the same frames, class by class."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anyanomaly.core.labels import SLACK, class_texts, frame_labels, last_labelled_frame
from anyanomaly.errors import DatasetError, UsageError
from anyanomaly.evaluation.scores import ScoreTable, SegmentRow
from anyanomaly.metrics.values import ClassScores, DoubleArray, VideoScores
from anyanomaly.types import LabelledVideo, TimeArray

OTHER_LENGTH = "Labels and frames with scores differ in number; the longer is truncated at the end"
LATE_SPANS = "Spans reach behind the last frame with a score; they are truncated there"

UNKNOWN_FPS = 25.0
"""Assumed frames per second where all segments of a video have the same time."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The classes of a dataset that have scores and labels of the same frames."""

    classes: list[ClassScores]
    notes: list[str]
    problems: list[str]  # why a video is skipped, a sentence each


def select_classes(videos: Sequence[LabelledVideo], names: Sequence[str]) -> list[str]:
    """Return the classes to measure, in the dataset's order.

    :param names: empty: all classes.
    :raises UsageError: when the dataset has no class of that name.
    """
    dataset_classes = list(dict.fromkeys(name for video in videos for name in class_texts(video)))
    for name in names:
        if name not in dataset_classes:
            choices = ", ".join(sorted(dataset_classes)) or "none"
            raise UsageError(f"The dataset has no class '{name}'. It has: {choices}.")
    return [name for name in dataset_classes if not names or name in names]


def texts_of(video: LabelledVideo, classes: Iterable[str]) -> tuple[str, ...]:
    """Return the event texts that a video is searched for, each once."""
    texts_per_class = class_texts(video)
    return tuple(dict.fromkeys(text for name in classes for text in texts_per_class.get(name, ())))


def align(
    table: ScoreTable, videos: Sequence[LabelledVideo], classes: Sequence[str], contexts: Sequence[str], keep_tail: bool
) -> Alignment:
    """Return each class's scores per frame with its labels. A video whose labels do not fit is skipped with a reason.

    :param contexts: whose scores are used, in this order.
    :param keep_tail: whether the run scored the short segment at the end of a video; if not, its labels are dropped.
    """
    unlabelled = sorted(table.videos - {video.id for video in videos})
    notes = [f"Video '{video}' has scores and no labels; skipped." for video in unlabelled]
    problems: list[str] = []
    truncated: dict[str, list[str]] = {}  # by the reason, each video with its lengths
    class_scores: list[ClassScores] = []
    for name in classes:
        video_scores: list[VideoScores] = []
        for video in sorted(videos, key=lambda video: video.id):
            if name in class_texts(video):
                try:
                    video_scores.append(_align_video(table, video, name, contexts, keep_tail, truncated))
                except DatasetError as error:
                    problems.append(str(error))
        if video_scores:
            class_scores.append(ClassScores(name, tuple(contexts), tuple(video_scores)))
    notes += [f"{reason}: {', '.join(dict.fromkeys(lengths))}." for reason, lengths in truncated.items()]
    return Alignment(class_scores, notes + _note_unreadable(class_scores), list(dict.fromkeys(problems)))


def _align_video(
    table: ScoreTable,
    video: LabelledVideo,
    name: str,
    contexts: Sequence[str],
    keep_tail: bool,
    truncated: dict[str, list[str]],
) -> VideoScores:
    """Return the scores of one class and video on the frames that have a label too.

    :param truncated: gets the video's lengths, by reason, when labels and frames differ by more than the tail.
    :raises DatasetError: without scores, or when the numbers of labels and frames differ too much.
    """
    rows_per_text = [table.rows(video.id, text) for text in class_texts(video)[name]]
    if not all(rows_per_text):
        raise DatasetError(f"Video '{video.id}' has no scores for '{name}'; skipped. Run it to get them.")
    scores = frame_scores(rows_per_text, contexts)
    longest_tail = max(row.stop - row.start for row in rows_per_text[0]) - 1  # that a run may leave unscored
    if name in video.labels:
        labels = np.asarray(video.labels[name], np.bool_)
    else:
        labels = frame_labels(replace(video, labels={}), frame_times(rows_per_text[0], scores.shape[1]))[name]
        last = last_labelled_frame(video, name)
        if last > scores.shape[1] + (0 if keep_tail else longest_tail):
            truncated.setdefault(LATE_SPANS, []).append(f"'{video.id}' (to frame {last}, {scores.shape[1]} frames)")
    n_excess = len(labels) - scores.shape[1]
    if abs(n_excess) > SLACK and (keep_tail or not 0 < n_excess <= longest_tail):
        raise DatasetError(
            f"Video '{video.id}' has {len(labels)} labels for '{name}' and {scores.shape[1]} frames with scores; "
            f"skipped. Check that the labels are of this version of the video."
        )
    n_frames = min(len(labels), scores.shape[1])
    if n_excess < 0 or (n_excess and keep_tail):  # otherwise the excess is the tail
        lengths = f"'{video.id}' ({len(labels)} labels, {scores.shape[1]} frames)"
        truncated.setdefault(OTHER_LENGTH, []).append(lengths)
    return VideoScores(video.id, estimate_fps(rows_per_text[0]), labels[:n_frames], scores[:, :n_frames])


def frame_scores(rows_per_text: Sequence[Sequence[SegmentRow]], contexts: Sequence[str]) -> DoubleArray:
    """Return scores (n_contexts, n_frames): per context the maximum over texts, before fusion as published."""
    n_frames = max(rows[-1].stop for rows in rows_per_text)
    scores = np.full((len(contexts), n_frames), np.nan)
    for rows in rows_per_text:
        for row in rows:
            part = scores[:, row.start : row.stop]
            np.fmax(part, np.array([row.scores.get(context, math.nan) for context in contexts])[:, None], out=part)
    return scores


def frame_times(rows: Sequence[SegmentRow], n_frames: int) -> TimeArray:
    """Return presentation times (n_frames,) in seconds, interpolated within segments."""
    frames = [frame for row in rows for frame in (row.start, row.stop)]
    times_s = [time_s for row in rows for time_s in (row.start_s, row.stop_s)]
    frame_times_s: TimeArray = np.interp(np.arange(n_frames), frames, times_s)
    return frame_times_s


def estimate_fps(rows: Sequence[SegmentRow]) -> float:
    """Return the frames per second of a video from its segments."""
    span_s = rows[-1].stop_s - rows[0].start_s
    return (rows[-1].stop - rows[0].start) / span_s if span_s > 0 else UNKNOWN_FPS


def _note_unreadable(classes: Sequence[ClassScores]) -> list[str]:
    """Return a note on how many frames lack the score of some context; empty: none."""
    counts = {
        scores.name: sum(int(np.isnan(video.contexts).any(axis=0).sum()) for video in scores.videos)
        for scores in classes
    }
    parts = [f"{count:,} frames of '{name}'" for name, count in counts.items() if count]
    if not parts:
        return []
    return [f"Without a readable score of some context: {', '.join(parts)}; the remaining contexts are used there."]
