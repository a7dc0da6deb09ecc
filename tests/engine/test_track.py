"""Timelines and events of one video, as its segments come."""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from anyanomaly import join_timelines
from anyanomaly.core.events import EventFinder, EventRule
from anyanomaly.core.reason import best_reason
from anyanomaly.core.smooth import gaussian_smooth
from anyanomaly.engine.track import Tracker
from anyanomaly.types import Event, QueryId, Score, SegmentScore, Timeline, Video
from tests.engine.parts import settings

VIDEO = Video("v", "v.mp4", 10.0, None, 4, 4)
LENGTH = 5


def segment(number: int, value: float) -> SegmentScore:
    start, stop = number * LENGTH, (number + 1) * LENGTH
    answer = "no idea" if math.isnan(value) else f"{value}. Reason {number}."
    scores = {"key": Score(QueryId("v", number, "red car", "key"), value, answer)}
    return SegmentScore(VIDEO, number, start, stop, np.arange(start, stop) / 10, "red car", scores, value)


def events_of_the_whole(scores: Sequence[SegmentScore], sigma: float, rule: EventRule) -> list[Event]:
    """Return the events found in the smoothed series of all frames at once."""
    first = scores[0].start
    raw = np.full(scores[-1].stop - first, np.nan, np.float32)
    for score in scores:
        raw[score.start - first : score.stop - first] = score.value
    times_s = np.arange(first, scores[-1].stop) / 10
    timeline = Timeline(VIDEO, "red car", first, times_s, raw, gaussian_smooth(raw, sigma), {})
    starts = [score.start for score in scores]
    finder = EventFinder(rule, lambda frame: best_reason(scores[bisect_right(starts, frame) - 1]))
    return [*finder.push(timeline), *finder.finish(timeline)]


missing = st.just(None)  # a segment that could not be read
values = st.lists(st.one_of(st.sampled_from([0.1, 0.4, 0.6, 0.9]), st.just(math.nan), missing), min_size=1, max_size=40)


@example([0.1, None, None, math.nan, 0.6], 0.0, 0.0)  # the highest value fills frames that have none
@given(values, st.sampled_from([0.0, 1.0, 4.0, 30.0]), st.sampled_from([0.0, 1.0]))
def test_events_and_reasons_are_those_of_the_whole_series(
    series: list[float | None], sigma: float, merge_s: float
) -> None:
    scores = [segment(number, value) for number, value in enumerate(series) if value is not None]
    if not scores:
        return
    rule = EventRule(0.5, merge_s, 0.3)
    tracker = Tracker(VIDEO, settings(smooth_frames=sigma, rule=rule))
    outcomes = [outcome for score in scores for outcome in tracker.push(score)] + tracker.finish()
    expected = events_of_the_whole(scores, sigma, rule)
    events = [outcome for outcome in outcomes if isinstance(outcome, Event)]
    scored_s = np.concatenate([score.times_s for score in scores if not math.isnan(score.value)] or [np.empty(0)])
    for event, other in zip(events, expected, strict=True):
        assert event.peak == other.peak
        if np.isclose(scored_s, event.peak_s).any():  # otherwise no segment shows the peak, and none is kept for it
            assert event.rationale == other.rationale
    times = [(event.start_s, event.stop_s, event.peak_s) for event in events]
    np.testing.assert_allclose(times, [(event.start_s, event.stop_s, event.peak_s) for event in expected])
    (timeline,) = join_timelines(outcomes)
    assert (timeline.start, len(timeline.raw)) == (scores[0].start, scores[-1].stop - scores[0].start)


def test_few_segments_are_kept_while_none_has_a_score() -> None:
    tracker = Tracker(VIDEO, settings(smooth_frames=2.0))
    tracker.push(segment(0, 0.9))
    outcomes = []
    n_blocks = []
    for number in range(1, 4000):
        outcomes += tracker.push(segment(number, math.nan))
        if number in {1000, 3999}:
            n_blocks.append(sys.getallocatedblocks())
    assert len(join_timelines(outcomes)[0].raw) < 20  # frames without a score nearby wait for the next one
    assert n_blocks[1] - n_blocks[0] < 3000 * 8  # a segment's score alone takes more
    (timeline,) = join_timelines([*outcomes, *tracker.push(segment(4000, 0.1)), *tracker.finish()])
    half = timeline.smooth[:10_000]
    np.testing.assert_allclose(half[100:], half[-1])


def test_a_video_without_segments_has_nothing() -> None:
    assert Tracker(VIDEO, settings()).finish() == []
