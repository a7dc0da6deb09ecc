"""From smoothed scores to events."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.core.events import EventFinder, EventRule
from anyanomaly.types import Event, Timeline
from tests.core.values import timeline


def find(smooth: list[float], rule: EventRule) -> list[Event]:
    finder = EventFinder(rule, lambda frame: f"at frame {frame}")
    line = timeline(smooth)
    return [*finder.push(line), *finder.finish(line)]


def test_an_event_is_where_the_score_reaches_the_threshold() -> None:
    (event,) = find([0] * 5 + [0.5, 0.9, 0.7] + [0] * 5, EventRule(0.5, merge_s=0, min_s=0))
    assert (event.start_s, event.stop_s) == (pytest.approx(0.5), pytest.approx(0.8))
    assert (event.peak, event.peak_s, event.rationale) == (pytest.approx(0.9), pytest.approx(0.6), "at frame 6")


def test_close_events_merge_and_short_ones_are_dropped() -> None:
    scores = [1, 1, 0, 1, 1] + [0] * 10 + [1]
    assert len(find(scores, EventRule(0.5, merge_s=0.2, min_s=0.2))) == 1
    assert len(find(scores, EventRule(0.5, merge_s=0.0, min_s=0.0))) == 3


def test_a_missing_score_is_no_event() -> None:
    assert find([float("nan")] * 10, EventRule(0.0)) == []


def test_an_event_lasts_to_the_end_of_the_video() -> None:
    (event,) = find([0, 1, 1], EventRule(0.5, min_s=0))
    assert event.stop_s == pytest.approx(0.3)


@given(
    st.lists(st.sampled_from([0.0, 0.4, 0.6, 1.0, float("nan")]), min_size=1, max_size=60),
    st.lists(st.sampled_from([0.02, 0.1, 0.1, 0.37]), min_size=60, max_size=60),
    st.lists(st.integers(1, 9), min_size=60, max_size=60),
    st.sampled_from([0.0, 0.35, 1.0]),
)
def test_pieces_give_the_same_events_as_the_complete_timeline(
    scores: list[float], steps_s: list[float], lengths: list[int], merge_s: float
) -> None:
    rule = EventRule(0.5, merge_s=merge_s, min_s=0.2)
    complete = replace(timeline(scores), times_s=np.cumsum(steps_s)[: len(scores)])
    finder, whole_finder = (EventFinder(rule, lambda frame: f"at frame {frame}") for _ in range(2))
    piecewise: list[Event] = []
    start = 0
    for length in lengths:
        if start < len(scores):
            part = slice(start, start + length)
            last = Timeline(
                complete.video, "car", start, complete.times_s[part], complete.raw[part], complete.smooth[part], {}
            )
            piecewise += finder.push(last)
            start += length
    piecewise += finder.finish(last)
    assert piecewise == [*whole_finder.push(complete), *whole_finder.finish(complete)]


def test_an_event_is_certain_once_a_later_frame_is_behind_the_merge_gap() -> None:
    finder = EventFinder(EventRule(0.5, merge_s=0.2, min_s=0))
    assert not list(finder.push(timeline([0, 1, 0.6])))
    assert finder.open_peak == 1
    assert not list(finder.push(timeline([0, 0, 0], start=3)))  # another could begin at frame 5
    assert len(list(finder.push(timeline([0], start=6)))) == 1
    assert finder.open_peak is None
