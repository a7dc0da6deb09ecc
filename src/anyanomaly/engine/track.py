"""The segment scores of one video to its timelines, events and evidence, each as soon as it is final."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from anyanomaly.core.events import EventFinder
from anyanomaly.core.reason import best_reason
from anyanomaly.core.timeline import LiveTimeline, RecordedTimeline
from anyanomaly.engine.evidence import Draft
from anyanomaly.engine.settings import RunSettings
from anyanomaly.evidence import Evidence
from anyanomaly.types import Event, SegmentScore, Timeline, Video

Tracked: TypeAlias = Timeline | Evidence | Event

KERNEL_REACH = 4
"""Sigmas on each side of a frame on which its smoothed score depends."""


class Tracker:
    """Makes the timelines, events and evidence of one video, for all its event texts."""

    def __init__(self, video: Video, settings: RunSettings) -> None:
        self._texts = {text: _TextTracker(video, settings) for text in settings.texts_of(video)}

    def push(self, score: SegmentScore, draft: Draft | None = None) -> list[Tracked]:
        """Add the next segment of a text, and return what it completes.

        :param draft: of its evidence; None: no sink needs evidence.
        """
        return list(self._texts[score.text].push(_Entry(score, draft)))

    def finish(self) -> list[Tracked]:
        """Return what the end of the video completes, text by text."""
        return [outcome for tracker in self._texts.values() for outcome in tracker.finish()]


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A segment, and the draft of its evidence."""

    score: SegmentScore
    draft: Draft | None


class _TextTracker:
    """Tracks one text. It keeps the segments whose frames are not final, and those that may become evidence."""

    def __init__(self, video: Video, settings: RunSettings) -> None:
        self._settings = settings
        self._timeline: LiveTimeline | RecordedTimeline
        if video.live:
            self._timeline = LiveTimeline(settings.smooth_seconds)
        else:
            measure_s = KERNEL_REACH * settings.smooth_seconds if settings.smooth_frames is None else 0.0
            self._timeline = RecordedTimeline(settings.smooth_sigma, measure_s)
        self._finder = EventFinder(settings.rule, self._rationale)
        self._piece: Timeline | None = None  # the last one
        self._recent: deque[_Entry] = deque()  # from the segment of the first frame that is not final
        self._peak: tuple[int, _Entry | None] = (-1, None)  # frame and segment at the peak of what may become an event
        self._ended: _Entry | None = None  # at the peak of the event that has just ended
        self._highest: _Entry | None = None  # of the video, until it has an event
        self._has_event = False

    def push(self, entry: _Entry) -> Iterator[Tracked]:
        """Yield what the next segment completes."""
        self._recent.append(entry)
        if not self._has_event and (self._highest is None or _rank(entry) > _rank(self._highest)):
            self._highest = entry
        if piece := self._timeline.push(entry.score):
            yield from self._find_events(piece)
        self._forget()

    def finish(self) -> Iterator[Tracked]:
        """Yield what the end of the video completes."""
        if piece := self._timeline.finish():
            yield from self._find_events(piece)
        if self._piece:
            yield from self._add_evidence(self._finder.finish(self._piece))
        if self._highest:
            yield from self._complete(self._highest)

    def _find_events(self, piece: Timeline) -> Iterator[Tracked]:
        self._piece = piece
        yield piece
        yield from self._add_evidence(self._finder.push(piece))
        peak_frame = self._finder.open_peak
        self._peak = (-1, None) if peak_frame is None else (peak_frame, self._entry_at(peak_frame))

    def _add_evidence(self, events: Iterator[Event]) -> Iterator[Tracked]:
        for event in events:
            self._has_event, self._highest = True, None
            if self._ended:
                yield from self._complete(self._ended)
            yield event

    def _complete(self, entry: _Entry) -> Iterator[Evidence]:
        if entry.draft:
            yield entry.draft.complete(entry.score, self._settings)

    def _rationale(self, frame: int) -> str:
        self._ended = self._entry_at(frame)
        return best_reason(self._ended.score) if self._ended else ""

    def _entry_at(self, frame: int) -> _Entry | None:
        """Return the segment of a frame; None: it was forgotten, because no score is near it."""
        if frame == self._peak[0]:
            return self._peak[1]
        return next((entry for entry in reversed(self._recent) if entry.score.start <= frame), None)

    def _forget(self) -> None:
        """Drop the segments whose frames are final, or would be if a score were near them."""
        stop = self._piece.start + len(self._piece.times_s) if self._piece else 0
        stop = max(stop, self._timeline.expected_final)
        while len(self._recent) > 1 and self._recent[1].score.start <= stop:
            self._recent.popleft()


def _rank(entry: _Entry) -> tuple[bool, bool, float]:
    """Return what orders segments by score; below all are those that were not asked about, then those without one."""
    return entry.score.asked, not math.isnan(entry.score.value), entry.score.value
