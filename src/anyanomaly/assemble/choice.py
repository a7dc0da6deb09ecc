"""Which segment to show: by time, by number, by event, or the one with the highest score."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field

from anyanomaly.errors import UsageError
from anyanomaly.types import Event


@dataclass(frozen=True, slots=True)
class SegmentChoice:
    """The segment to show. At most one field is set; without any it is the segment with the highest score."""

    at_s: float | None = None  # a time within it, seconds
    segment: int | None = None  # its number, from 0
    event: int | None = None  # number of the event with its peak, from 1, in the order of time

    @property
    def needs_search(self) -> bool:
        """Whether the results of the whole video decide."""
        return self.at_s is None and self.segment is None

    @property
    def is_highest(self) -> bool:
        """Whether it is the segment with the highest score."""
        return self.needs_search and self.event is None


@dataclass(frozen=True, slots=True)
class Match:
    """The segment and event text that a search found."""

    video: str  # `Video.id`
    segment: int
    text: str
    event: Event | None = None  # None: it has the highest score
    number: int = 0  # of the event, from 1
    n_events: int = 0


@dataclass(slots=True)
class Search:
    """Finds the segment of an event, or the one with the highest score, among results as they come."""

    choice: SegmentChoice
    _starts: dict[tuple[str, str], list[tuple[float, int]]] = field(default_factory=dict)  # by video and text
    _events: list[Event] = field(default_factory=list)
    _highest: tuple[tuple[bool, float], Match | None] = ((False, -math.inf), None)

    def add_segment(
        self, video: str, text: str, segment: int, start_s: float, value: float, *, is_asked: bool = True
    ) -> None:
        """Add a segment's score for one event text; those of one video and text come in the order of time.

        :param is_asked: whether the model was asked; a segment that was not is the highest only where none was.
        """
        if self.choice.event is not None:
            self._starts.setdefault((video, text), []).append((start_s, segment))
        if not math.isnan(value) and (is_asked, value) > self._highest[0]:
            self._highest = (is_asked, value), Match(video, segment, text)

    def add_event(self, event: Event) -> None:
        """Add an event."""
        self._events.append(event)

    def match(self) -> Match:
        """Return what was searched for.

        :raises UsageError: when there is no such event, or no segment has a score.
        """
        _, highest = self._highest
        if self.choice.event is None:
            if highest is None:
                raise UsageError("No segment has a score. Choose one with --segment N or --at TIME.")
            return highest
        events = sorted(self._events, key=lambda event: event.start_s)
        if not events:
            raise UsageError("There is no event. --highest shows the segment with the highest score.")
        if self.choice.event > len(events):
            raise UsageError(f"There is no event {self.choice.event}; the last is {len(events)}.")
        event = events[self.choice.event - 1]
        starts = self._starts.get((event.video, event.text), [])
        position = bisect_right(starts, event.peak_s + 1e-6, key=lambda start: start[0])  # times in files are rounded
        if not position:
            raise UsageError(f"There is no segment at the peak of event {self.choice.event}, {event.peak_s:.2f} s.")
        return Match(event.video, starts[position - 1][1], event.text, event, self.choice.event, len(events))
