"""Events against labelled events: how many are found, how late, and how many false alarms an hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anyanomaly.core.events import EventFinder, EventRule
from anyanomaly.metrics.values import BoolArray, Series, VideoScores
from anyanomaly.types import Timeline, Video


@dataclass(frozen=True, slots=True)
class Detections:
    """What a threshold makes of one class."""

    n_events: int  # labelled
    n_found: int  # of these: at least one event found overlaps them
    delays_s: tuple[float, ...]  # from the start of each that was found to the first frame found in it, at least 0
    n_false: int  # events found that overlap no labelled one
    hours: float  # of video

    @property
    def recall(self) -> float:
        """The share of labelled events that were found; NaN without any."""
        return self.n_found / self.n_events if self.n_events else float("nan")

    @property
    def mean_delay_s(self) -> float:
        """Mean delay in seconds; NaN when none was found."""
        return float(np.mean(self.delays_s)) if self.delays_s else float("nan")

    @property
    def false_per_hour(self) -> float:
        """False alarms per hour of video."""
        return self.n_false / self.hours if self.hours else float("nan")


def detections(videos: Sequence[VideoScores], series: Series, rule: EventRule) -> Detections:
    """Find events in smoothed scores as a run does, and hold them against the labels."""
    n_events = n_found = n_false = 0
    delays: list[float] = []
    for video, scores in zip(videos, series, strict=True):
        spans = labelled_spans(video.labels, video.fps)
        found = _found(video, np.asarray(scores, np.float32), rule)
        n_events += len(spans)
        for start, stop in spans:
            starts = [max(begin - start, 0.0) for begin, end in found if begin < stop and start < end]
            n_found += bool(starts)
            delays += [min(starts)] if starts else []
        n_false += sum(not any(begin < stop and start < end for start, stop in spans) for begin, end in found)
    hours = sum(len(video.labels) / video.fps for video in videos) / 3600
    return Detections(n_events, n_found, tuple(delays), n_false, hours)


def labelled_spans(labels: BoolArray, fps: float) -> list[tuple[float, float]]:
    """Return the labelled events as half-open spans in seconds."""
    borders = np.flatnonzero(np.diff(np.concatenate(([False], labels, [False])).astype(np.int8)))
    return [(float(start) / fps, float(stop) / fps) for start, stop in borders.reshape(-1, 2)]


def _found(
    video: VideoScores, scores: np.ndarray[tuple[int, ...], np.dtype[np.float32]], rule: EventRule
) -> list[tuple[float, float]]:
    n_frames = len(scores)
    if not n_frames:
        return []
    source = Video(video.video, video.video, video.fps, n_frames, 0, 0)
    timeline = Timeline(source, "", 0, np.arange(n_frames) / video.fps, scores, scores, {})
    finder = EventFinder(rule)
    return [(each.start_s, each.stop_s) for each in (*finder.push(timeline), *finder.finish(timeline))]
