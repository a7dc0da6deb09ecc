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
    peak_frame: int
    stop: int  # behind the last frame
    has_asked: bool  # whether the backend was asked about any of its frames


class EventFinder:
    """Finds the events of one video and one text, timeline piece by piece, whatever the pieces are.

    Smoothing may lift frames that the backend was not asked about to the threshold, between others that scored high.
    Such frames alone are no event.
    """

    def __init__(self, rule: EventRule, rationale: Callable[[int], str] = lambda frame: "") -> None:
        """:param rationale: from the frame at the peak of an event to the model's words; called when it has ended."""
        self._rule = rule
        self._rationale = rationale
        self._open: _Candidate | None = None

    @property
    def open_peak(self) -> int | None:
        """The frame at the peak, so far, of what may become an event; None: nothing may."""
        return self._open.peak_frame if self._open else None

    def push(self, timeline: Timeline) -> Iterator[Event]:
        """Yield the events that have certainly ended by the end of this piece."""
        if self._open and self._open.stop == timeline.start:
            self._open.stop_s = float(timeline.times_s[0])  # so far it was estimated from the frame rate
        for candidate in _find_candidates(timeline, self._rule.threshold):
            if self._open and candidate.start_s - self._open.stop_s > self._rule.merge_s:
                yield from self._end(timeline)
            self._open = _merge(self._open, candidate)
        # the next frame is later than the last one of this piece, by how much is not known
        if self._open and float(timeline.times_s[-1]) - self._open.stop_s > self._rule.merge_s:
            yield from self._end(timeline)

    def finish(self, timeline: Timeline) -> Iterator[Event]:
        """Yield the event that is still open at the end of the video, whose last piece is ``timeline``."""
        yield from self._end(timeline)

    def _end(self, timeline: Timeline) -> Iterator[Event]:
        event, self._open = self._open, None
        # times are sums of floats: half a microsecond of tolerance
        if event and event.has_asked and event.stop_s - event.start_s >= self._rule.min_s - 5e-7:
            yield Event(
                video=timeline.video.id,
                text=timeline.text,
                start_s=event.start_s,
                stop_s=event.stop_s,
                peak=event.peak,
                peak_s=event.peak_s,
                rationale=self._rationale(event.peak_frame),
            )


def _find_candidates(timeline: Timeline, threshold: float) -> Iterator[_Candidate]:
    """Yield the runs of frames at or above ``threshold``; a run ends where the next frame starts."""
    end_s = float(timeline.times_s[-1]) + 1 / timeline.video.fps
    ends_s = np.append(timeline.times_s[1:], end_s)
    for start, stop in true_stretches(timeline.smooth >= threshold):  # a NaN is not above
        peak = int(start + np.argmax(timeline.smooth[start:stop]))
        yield _Candidate(
            start_s=float(timeline.times_s[start]),
            stop_s=float(ends_s[stop - 1]),
            peak=float(timeline.smooth[peak]),
            peak_s=float(timeline.times_s[peak]),
            peak_frame=timeline.start + peak,
            stop=timeline.start + int(stop),
            has_asked=bool(timeline.asked[start:stop].any()),
        )


def _merge(earlier: _Candidate | None, candidate: _Candidate) -> _Candidate:
    if earlier is None:
        return candidate
    top = earlier if earlier.peak >= candidate.peak else candidate
    has_asked = earlier.has_asked or candidate.has_asked
    return _Candidate(
        earlier.start_s, candidate.stop_s, top.peak, top.peak_s, top.peak_frame, candidate.stop, has_asked
    )
