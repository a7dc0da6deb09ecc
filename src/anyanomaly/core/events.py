"""Smoothed scores to events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from anyanomaly.core.labels import true_stretches
from anyanomaly.types import Event, Timeline


@dataclass(frozen=True, slots=True)
class EventRule:
    """Which frames form an event."""

    threshold: float = 0.5  # lowest smoothed score of an event's frames, in [0, 1]
    merge_s: float = 1.0  # events with at most this gap between them become one, seconds
    min_s: float = 0.5  # shorter events are dropped, seconds


@dataclass(slots=True)
class _Candidate:
    """Frames at or above the threshold; an event once it is merged and long enough."""

    start_s: float
    stop_s: float
    peak: float
    peak_s: float
    rationale: str


class EventFinder:
    """Finds the events of one video and one text, timeline piece by piece; a recorded video is one piece."""

    def __init__(self, rule: EventRule, rationale: Callable[[int], str] = lambda frame: "") -> None:
        """:param rationale: from a frame of the video to the model's words; called at peaks of the piece in `push`."""
        self._rule = rule
        self._rationale = rationale
        self._open: _Candidate | None = None

    def push(self, timeline: Timeline) -> Iterator[Event]:
        """Yield the events that have ended by the end of this piece."""
        for candidate in _find_candidates(timeline, self._rule.threshold, self._rationale):
            if self._open and candidate.start_s - self._open.stop_s > self._rule.merge_s:
                yield from self._end(timeline)
            self._open = _merge(self._open, candidate)
        if self._open and _end_s(timeline) - self._open.stop_s > self._rule.merge_s:
            yield from self._end(timeline)

    def finish(self, timeline: Timeline) -> Iterator[Event]:
        """Yield the event that is still open at the end of the video, whose last piece is ``timeline``."""
        yield from self._end(timeline)

    def _end(self, timeline: Timeline) -> Iterator[Event]:
        event, self._open = self._open, None
        # times are sums of floats: half a microsecond of tolerance
        if event and event.stop_s - event.start_s >= self._rule.min_s - 5e-7:
            yield Event(
                video=timeline.video.id,
                text=timeline.text,
                start_s=event.start_s,
                stop_s=event.stop_s,
                peak=event.peak,
                peak_s=event.peak_s,
                rationale=event.rationale,
            )


def _end_s(timeline: Timeline) -> float:
    return float(timeline.times_s[-1]) + 1 / timeline.video.fps


def _find_candidates(timeline: Timeline, threshold: float, rationale: Callable[[int], str]) -> Iterator[_Candidate]:
    """Yield the runs of frames at or above ``threshold``; a run ends where the next frame starts."""
    ends_s = np.append(timeline.times_s[1:], _end_s(timeline))
    for start, stop in true_stretches(timeline.smooth >= threshold):  # a NaN is not above
        peak = int(start + np.argmax(timeline.smooth[start:stop]))
        yield _Candidate(
            start_s=float(timeline.times_s[start]),
            stop_s=float(ends_s[stop - 1]),
            peak=float(timeline.smooth[peak]),
            peak_s=float(timeline.times_s[peak]),
            rationale=rationale(timeline.start + peak),
        )


def _merge(earlier: _Candidate | None, candidate: _Candidate) -> _Candidate:
    if earlier is None:
        return candidate
    top = earlier if earlier.peak >= candidate.peak else candidate
    return _Candidate(earlier.start_s, candidate.stop_s, top.peak, top.peak_s, top.rationale)
