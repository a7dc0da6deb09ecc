"""The worst mistakes of a run against the ground truth: what a researcher looks at first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anyanomaly.types import Span

MIN_DISTANCE_S = 5.0
"""Seconds between two false alarms of one video and text: neighbouring segments show the same thing."""


@dataclass(frozen=True, slots=True)
class ScoredSegment:
    """A segment of one video with its score for one event text."""

    video: str  # `Video.id`
    text: str  # the event text
    segment: int  # `Segment.index`
    start_s: float
    stop_s: float
    value: float  # the fused score; NaN when it could not be read; without a question that of its gates
    is_asked: bool = True


@dataclass(frozen=True, slots=True)
class Miss:
    """A stretch of ground truth with its highest segment."""

    start_s: float
    stop_s: float
    best: ScoredSegment
    n_segments: int = 1  # that overlap it
    n_asked: int = 1  # of these


def worst_false_alarms(segments: Iterable[ScoredSegment], truth: Sequence[Span], count: int) -> list[ScoredSegment]:
    """Return the highest segments of one video and text that overlap no ground truth, at least 5 s apart.

    What was not asked is no false alarm.

    :param truth: spans in seconds. :param count: the most to return, highest first; of equal ones the earlier first.
    """
    outside = [
        segment
        for segment in segments
        if segment.is_asked and segment.value == segment.value and not any(_overlap(segment, span) for span in truth)
    ]
    alarms: list[ScoredSegment] = []
    for segment in sorted(outside, key=lambda segment: (-segment.value, segment.start_s)):
        if len(alarms) == count:
            break
        if all(_distance(segment, alarm) >= MIN_DISTANCE_S for alarm in alarms):
            alarms.append(segment)
    return alarms


def worst_misses(segments: Iterable[ScoredSegment], truth: Sequence[Span], count: int) -> list[Miss]:
    """Return the spans of ground truth of one video and text whose highest segment is lowest.

    Spans about which the model was not asked at all come first. In the others only segments that were asked count. A
    span without a segment that could be scored is left out.

    :param truth: spans in seconds. :param count: the most to return, lowest first; of equal ones the earlier first.
    """
    scored = [segment for segment in segments if segment.value == segment.value or not segment.is_asked]
    misses = []
    for start_s, stop_s in truth:
        inside = [segment for segment in scored if _overlap(segment, (start_s, stop_s))]
        if inside:
            best = max(inside, key=_rank)
            n_asked = sum(segment.is_asked for segment in inside)
            misses.append(Miss(start_s, stop_s, best, len(inside), n_asked))
    return sorted(misses, key=lambda miss: (*_rank(miss.best), miss.start_s))[:count]


def _rank(segment: ScoredSegment) -> tuple[bool, float]:
    """Return what orders segments by score: those that were not asked, with a threshold of 0 without a value, first."""
    return segment.is_asked, -1.0 if math.isnan(segment.value) else segment.value


def _overlap(segment: ScoredSegment, span: Span) -> bool:
    return segment.start_s < span[1] and span[0] < segment.stop_s


def _distance(first: ScoredSegment, second: ScoredSegment) -> float:
    return max(first.start_s - second.stop_s, second.start_s - first.stop_s)
