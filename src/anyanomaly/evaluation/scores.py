"""Segment scores, of a run or of its result files, brought together with the labels of a data set."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from anyanomaly.core.labels import SLACK, class_texts, frame_labels
from anyanomaly.errors import DatasetError, InputError, UsageError
from anyanomaly.metrics.values import ClassScores, DoubleArray, VideoScores
from anyanomaly.types import LabelledVideo, SegmentScore, TimeArray

N_TOLD = 5
"""So many videos of a kind are named; of more, how many."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment and event text: frames ``[start, stop)``, seconds, and a score per context (NaN: unreadable)."""

    start: int
    stop: int
    start_s: float
    stop_s: float
    values: Mapping[str, float]


class Scored:
    """The segments of all videos and texts; a segment that comes again takes the place of the earlier one."""

    def __init__(self) -> None:
        self._segments: dict[tuple[str, str], dict[int, Segment]] = {}

    def add(self, video: str, text: str, segment: Segment) -> None:
        """Take a segment."""
        self._segments.setdefault((video, text), {})[segment.start] = segment

    def add_score(self, score: SegmentScore) -> None:
        """Take a segment score of a run."""
        values = {name: each.value for name, each in score.scores.items()}
        stop_s = float(score.times_s[-1]) + 1 / score.video.fps
        self.add(score.video.id, score.text, Segment(score.start, score.stop, float(score.times_s[0]), stop_s, values))

    def drop(self, video: str) -> None:
        """Forget a video."""
        self._segments = {key: segments for key, segments in self._segments.items() if key[0] != video}

    def of(self, video: str, text: str) -> list[Segment]:
        """Return the segments of one video and text in order."""
        return [segment for _, segment in sorted(self._segments.get((video, text), {}).items())]

    @property
    def videos(self) -> set[str]:
        """The videos that have segments."""
        return {video for video, _ in self._segments}


def read_results(paths: Iterable[str]) -> tuple[dict[str, Any], Scored]:
    """Read result files that ``anyanomaly run -o FILE.jsonl`` wrote: the description of the (first) run, the segments.

    :raises InputError: when one cannot be read or is no such file.
    """
    header: dict[str, Any] = {}
    scored = Scored()
    for path in paths:
        for number, line in _lines(path):
            try:
                kind = line["type"]
                if kind == "run":
                    header = header or {**line, "config": dict(line["config"])}
                elif kind == "segment":
                    scored.add(line["video"], line["text"], _segment(line))
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise InputError(f"Line {number} of {path} is no result of a run ({error!r}).") from error
        if not header:
            raise InputError(f"{path} does not say of which run it is; give a file that `run -o FILE.jsonl` wrote.")
    return header, scored


def wanted_classes(videos: Sequence[LabelledVideo], asked: Sequence[str]) -> list[str]:
    """Return the classes to measure, in the order in which the data set names them.

    :raises UsageError: for one that the data set does not have.
    """
    known = list(dict.fromkeys(name for video in videos for name in class_texts(video)))
    for name in asked:
        if name not in known:
            raise UsageError(f"The data set has no class '{name}'. It has: {', '.join(sorted(known)) or 'none'}.")
    return [name for name in known if not asked or name in asked]


def texts_of(video: LabelledVideo, classes: Iterable[str]) -> tuple[str, ...]:
    """Return the event texts that a video must be searched for."""
    per_class = class_texts(video)
    return tuple(dict.fromkeys(text for name in classes for text in per_class.get(name, ())))


def with_labels(
    scored: Scored, videos: Sequence[LabelledVideo], classes: Sequence[str], contexts: Sequence[str], keep_tail: bool
) -> tuple[list[ClassScores], list[str], list[str]]:
    """Return the scores of each class with its labels, notes, and problems: videos left out, and why.

    :param keep_tail: whether the run scored a video's last, short segment; if not, its labels are cut.
    """
    unlabelled = sorted(scored.videos - {video.id for video in videos})
    notes = [f"Video '{video}' has scores and no labels; left out." for video in unlabelled]
    problems: list[str] = []
    cut: list[str] = []
    kept: list[ClassScores] = []
    for name in classes:
        found: list[VideoScores] = []
        for labelled in sorted(videos, key=lambda each: each.id):
            if name in class_texts(labelled):
                try:
                    found.append(_aligned(scored, labelled, name, contexts, keep_tail, cut))
                except DatasetError as error:
                    problems.append(str(error))
        if found:
            kept.append(ClassScores(name, tuple(contexts), tuple(found)))
    if told := list(dict.fromkeys(cut)):
        more = f" and {len(told) - N_TOLD} more" if len(told) > N_TOLD else ""
        notes.append(
            f"Labels and frames with scores differ in number, and the longer is cut at the end: "
            f"{', '.join(told[:N_TOLD])}{more}."
        )
    return kept, notes + _missing(kept), list(dict.fromkeys(problems))


def _aligned(
    scored: Scored, video: LabelledVideo, name: str, contexts: Sequence[str], keep_tail: bool, cut: list[str]
) -> VideoScores:
    """Return the scores of one class and video, cut to the frames that have a label too; say in ``cut`` if so.

    :raises DatasetError: without scores, or when labels and scores are not of the same frames.
    """
    segments = [scored.of(video.id, text) for text in class_texts(video)[name]]
    if not all(segments):
        raise DatasetError(f"Video '{video.id}' has no scores for '{name}'; left out.")
    values = _series(segments, contexts)
    if name in video.labels:
        labels = np.asarray(video.labels[name], np.bool_)
    else:
        labels = frame_labels(replace(video, labels={}), _times(segments[0], values.shape[1]))[name]
    off = len(labels) - values.shape[1]
    tail = max(each.stop - each.start for each in segments[0]) - 1  # what a run may leave out at the end
    if abs(off) > SLACK and (keep_tail or not 0 < off <= tail):
        raise DatasetError(
            f"Video '{video.id}' has {len(labels)} labels for '{name}' and {values.shape[1]} frames with scores; left "
            f"out. Are labels and video of the same frames?"
        )
    n_frames = min(len(labels), values.shape[1])
    if off < 0 or (off and keep_tail):  # otherwise it is the tail
        cut.append(f"'{video.id}' ({len(labels)} labels, {values.shape[1]} frames)")
    return VideoScores(video.id, _fps(segments[0]), labels[:n_frames], values[:, :n_frames])


def _series(per_text: Sequence[Sequence[Segment]], contexts: Sequence[str]) -> DoubleArray:
    """Return the scores (n_contexts, n_frames) of each context, the highest of all texts: the published order."""
    n_frames = max(segments[-1].stop for segments in per_text)
    values = np.full((len(contexts), n_frames), np.nan)
    for segments in per_text:
        for each in segments:
            part = values[:, each.start : each.stop]
            np.fmax(part, np.array([each.values.get(name, math.nan) for name in contexts])[:, None], out=part)
    return values


def _times(segments: Sequence[Segment], n_frames: int) -> TimeArray:
    """Return the presentation time of every frame (n_frames,), evenly within a segment."""
    borders = [place for each in segments for place in (each.start, each.stop)]
    times_s = [time_s for each in segments for time_s in (each.start_s, each.stop_s)]
    found: TimeArray = np.interp(np.arange(n_frames), borders, times_s)
    return found


def _fps(segments: Sequence[Segment]) -> float:
    span_s = segments[-1].stop_s - segments[0].start_s
    return (segments[-1].stop - segments[0].start) / span_s if span_s > 0 else 25.0


def _missing(classes: Sequence[ClassScores]) -> list[str]:
    """Say how many scores are missing."""
    missing = {
        each.name: sum(int(np.isnan(video.contexts).any(axis=0).sum()) for video in each.videos) for each in classes
    }
    told = [f"{n:,} frames of '{name}'" for name, n in missing.items() if n]
    return [f"Without a readable score of some context: {', '.join(told)}; the others count there."] if told else []


def _lines(path: str) -> Iterator[tuple[int, Any]]:
    try:
        with Path(path).open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                yield number, json.loads(line)
    except OSError as error:
        raise InputError(f"Cannot read the results {path}: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(
            f"{path} holds a line that is no JSON ({error}); give a .jsonl file that `anyanomaly run` wrote."
        ) from error


def _segment(line: Mapping[str, Any]) -> Segment:
    values = {
        name: math.nan if each["value"] is None else float(each["value"]) for name, each in line["scores"].items()
    }
    start, stop = int(line["start"]), int(line["stop"])
    if not 0 <= start < stop or any(map(math.isinf, values.values())):
        raise ValueError(f"frames {start} to {stop}, scores {values}")
    return Segment(start, stop, float(line["start_s"]), float(line["stop_s"]), values)
