"""Detected events against labelled events: recall, delay, and false alarms per hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anyanomaly.core.events import EventFinder, EventRule
from anyanomaly.core.labels import true_stretches
from anyanomaly.metrics.values import BoolArray, Series, VideoScores
from anyanomaly.types import FloatArray, Timeline, Video


@dataclass(frozen=True, slots=True)
class Detections:
    """Detected and labelled events of one class at one threshold."""

    n_labelled: int
    n_detected: int  # labelled events that at least one detected event overlaps
    delays_s: tuple[float, ...]  # of each of these: from its start to the first detected frame in it, at least 0
    n_false_alarms: int  # detected events that overlap no labelled event
    hours: float  # of video

    @property
    def recall(self) -> float:
        """Fraction of labelled events that are detected, 0 to 1; NaN without labelled events."""
        return self.n_detected / self.n_labelled if self.n_labelled else float("nan")

    @property
    def mean_delay_s(self) -> float:
        """Mean delay in seconds; NaN when none is detected."""
        return float(np.mean(self.delays_s)) if self.delays_s else float("nan")

    @property
    def false_alarms_per_hour(self) -> float:
        """False alarms per hour of video; NaN without video."""
        return self.n_false_alarms / self.hours if self.hours else float("nan")


def match_events(videos: Sequence[VideoScores], series: Series, rule: EventRule) -> Detections:
    """Detect events in smoothed scores as a run does, and match them with the labelled events.

    :param series: smoothed scores (n_frames,) per video.
    """
    n_labelled = n_detected = n_false_alarms = 0
    delays_s: list[float] = []
    for video, scores in zip(videos, series, strict=True):
        labelled = labelled_spans(video.labels, video.fps)
        detected = detected_spans(video, np.asarray(scores, np.float32), rule)
        n_labelled += len(labelled)
        for start, stop in labelled:
            delays = [max(begin - start, 0.0) for begin, end in detected if begin < stop and start < end]
            if delays:
                n_detected += 1
                delays_s.append(min(delays))
        n_false_alarms += sum(
            not any(begin < stop and start < end for start, stop in labelled) for begin, end in detected
        )
    hours = sum(len(video.labels) / video.fps for video in videos) / 3600
    return Detections(n_labelled, n_detected, tuple(delays_s), n_false_alarms, hours)


def labelled_spans(labels: BoolArray, fps: float) -> list[tuple[float, float]]:
    """Return the stretches of positive labels (n_frames,) as half-open spans in seconds."""
    return [(float(start) / fps, float(stop) / fps) for start, stop in true_stretches(labels)]


def detected_spans(video: VideoScores, scores: FloatArray, rule: EventRule) -> list[tuple[float, float]]:
    """Return the events in scores (n_frames,) as half-open spans in seconds."""
    n_frames = len(scores)
    if not n_frames:
        return []
    source = Video(video.video, video.video, video.fps, n_frames, 0, 0)
    timeline = Timeline(source, "", 0, np.arange(n_frames) / video.fps, scores, scores, {})
    finder = EventFinder(rule)
    return [(event.start_s, event.stop_s) for event in (*finder.push(timeline), *finder.finish(timeline))]
