"""What is known of the scores and events of a video, and up to which time nothing of it can change."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from anyanomaly.core.events import EventRule
from anyanomaly.core.labels import true_stretches
from anyanomaly.core.reason import best_reason
from anyanomaly.types import Event, FloatArray, SegmentScore, TimeArray, Timeline

HORIZON_S = 60.0
"""A frame waits for the end of its event, and so for the reason, for at most this time of the video.

Longer events are drawn while they last, with the reason of their highest segment so far.
"""

_TOLERANCE_S = 5e-7  # times are sums of floats


class Curve(NamedTuple):
    """Frames that follow each other."""

    times_s: TimeArray  # (n,)
    values: FloatArray  # (n,): smoothed scores
    asked: npt.NDArray[np.bool_]  # (n,): whether the model was asked about the frame's segment

    def at(self, time_s: float) -> tuple[float, bool]:
        """Return the score at a time, NaN when there is none, and whether the model was asked there."""
        now = int(np.searchsorted(self.times_s, time_s + 1e-6)) - 1
        if now < 0 or time_s - self.times_s[now] >= 1:
            return math.nan, True
        return float(self.values[now]), bool(self.asked[now])


@dataclass(frozen=True, slots=True)
class Span:
    """An event as it is drawn."""

    start_s: float
    stop_s: float  # infinite while it lasts
    reason: str


@dataclass(slots=True)
class _Stretch:
    """Frames at or above the threshold, merged by the rule; an event if it is long enough."""

    start_s: float
    stop_s: float
    stop: int  # behind the last frame
    best: SegmentScore | None = None  # the highest segment in it so far

    @property
    def reason(self) -> str:
        """The reason of the highest segment; empty: none is known."""
        return best_reason(self.best) if self.best else ""


@dataclass(slots=True)
class TextScores:
    """The smoothed scores of one event text around the time that is drawn, and its events."""

    rule: EventRule | None  # None: unknown, events are drawn as they are announced
    _pieces: deque[Timeline] = field(default_factory=deque)
    _segments: deque[SegmentScore] = field(default_factory=deque)  # behind the last piece
    _open: _Stretch | None = None
    _awaited: list[_Stretch] = field(default_factory=list)  # events that have ended and are not announced yet
    _events: list[Event] = field(default_factory=list)
    _end_s: float = -math.inf  # of the last piece

    def add_segment(self, score: SegmentScore) -> None:
        """Keep a segment until its scores are final, for the reason in it."""
        if self.rule:
            self._segments.append(score)

    def add_piece(self, piece: Timeline) -> None:
        """Add the final scores that follow those so far."""
        self._pieces.append(piece)
        last_s = float(piece.times_s[-1])
        self._end_s = last_s + 1 / piece.video.fps
        if self.rule is None:
            return
        if self._open and self._open.stop == piece.start:
            self._open.stop_s = float(piece.times_s[0])  # so far it was estimated from the frame rate
        ends_s = np.append(piece.times_s[1:], self._end_s)
        for start, stop in true_stretches(piece.smooth >= self.rule.threshold):
            stretch = _Stretch(float(piece.times_s[start]), float(ends_s[stop - 1]), piece.start + int(stop))
            if self._open and stretch.start_s - self._open.stop_s > self.rule.merge_s:
                self._close(self.rule)
            if self._open:
                self._open.stop_s, self._open.stop = stretch.stop_s, stretch.stop
            else:
                self._open = stretch
        self._note_segments()
        # the next frame is later than the last one of this piece, by how much is not known
        if self._open and last_s - self._open.stop_s > self.rule.merge_s:
            self._close(self.rule)

    def add_event(self, event: Event) -> None:
        """Add an event, which replaces the stretch of frames from which it was made."""
        self._events.append(event)
        self._awaited = [stretch for stretch in self._awaited if stretch.start_s >= event.stop_s - _TOLERANCE_S]
        if self._open and self._open.start_s < event.stop_s - _TOLERANCE_S:
            self._open = None

    @property
    def certain_s(self) -> float:
        """Time before which neither scores nor events can change, seconds."""
        starts_s = [stretch.start_s for stretch in (*self._awaited, *([self._open] if self._open else []))]
        certain_s = min([self._end_s, *starts_s]) if self.rule else -math.inf
        return max(certain_s, self._end_s - HORIZON_S)

    def scores(self, begin_s: float, end_s: float) -> Curve:
        """Return the frames in a part of the video, and one frame on each side."""
        times_s, scores, asked = [np.zeros(0)], [np.zeros(0, np.float32)], [np.zeros(0, np.bool_)]
        for piece in self._pieces:
            if piece.times_s[-1] >= begin_s - 1 and piece.times_s[0] <= end_s + 1:
                first = max(0, int(np.searchsorted(piece.times_s, begin_s)) - 1)
                last = int(np.searchsorted(piece.times_s, end_s, side="right")) + 1
                times_s.append(piece.times_s[first:last])
                scores.append(piece.smooth[first:last])
                asked.append(piece.asked[first:last])
        return Curve(np.concatenate(times_s), np.concatenate(scores), np.concatenate(asked))

    def spans(self, begin_s: float, end_s: float) -> list[Span]:
        """Return the events in a part of the video; also one that has not ended, if it is long enough already."""
        spans = [Span(event.start_s, event.stop_s, event.rationale) for event in self._events]
        spans += [Span(stretch.start_s, stretch.stop_s, stretch.reason) for stretch in self._awaited]
        stretch = self._open
        if stretch and self.rule and stretch.stop_s - stretch.start_s >= self.rule.min_s - _TOLERANCE_S:
            spans.append(Span(stretch.start_s, math.inf, stretch.reason))
        return [span for span in spans if span.start_s < end_s and span.stop_s > begin_s]

    def forget(self, time_s: float) -> None:
        """Forget what lies before a time."""
        while self._pieces and self._pieces[0].times_s[-1] < time_s:
            self._pieces.popleft()
        self._events = [event for event in self._events if event.stop_s >= time_s]

    def finish(self) -> None:
        """Nothing follows: what was not announced is no event."""
        self._awaited, self._open = [], None
        self._end_s = math.inf

    def _close(self, rule: EventRule) -> None:
        stretch, self._open = self._open, None
        if stretch is None or stretch.stop_s - stretch.start_s < rule.min_s - _TOLERANCE_S:
            return
        if not any(event.start_s < stretch.stop_s and event.stop_s > stretch.start_s for event in self._events):
            self._awaited.append(stretch)

    def _note_segments(self) -> None:
        """Find the highest segment of the open stretch among those whose scores are final."""
        while self._segments and self._segments[0].times_s[0] < self._end_s:
            score = self._segments.popleft()
            if self._open is None or score.times_s[-1] < self._open.start_s:
                continue
            if math.isnan(score.value) or not score.asked:
                continue
            if self._open.best is None or score.value > self._open.best.value:
                self._open.best = score


def unasked_columns(curves: Iterable[Curve], begin_s: float, window_s: float, n_columns: int) -> npt.NDArray[np.bool_]:
    """Return in which columns (n_columns,) of a plot the model was asked about no text, though frames were read.

    :param curves: one per text. :param begin_s: time at the left edge, seconds. :param window_s: width, seconds.
    """
    is_asked, is_unasked = np.zeros(n_columns, np.bool_), np.zeros(n_columns, np.bool_)
    for curve in curves:
        if not len(curve.times_s):
            continue
        ends_s = np.append(curve.times_s[1:], curve.times_s[-1])
        for columns, flags in ((is_asked, curve.asked), (is_unasked, ~curve.asked)):
            for start, stop in true_stretches(flags):
                edges_s = np.array([curve.times_s[start], ends_s[stop - 1]])
                left, right = np.clip(np.round((edges_s - begin_s) / window_s * n_columns), 0, n_columns).astype(int)
                columns[left:right] = True
    return is_unasked & ~is_asked
