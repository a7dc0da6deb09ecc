"""From smoothed scores to events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.core.events import EventFinder, EventRule
from anyanomaly.types import Event
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


@given(st.lists(st.sampled_from([0.0, 0.4, 0.6, 1.0]), min_size=1, max_size=60), st.integers(1, 7))
def test_pieces_give_the_same_events_as_the_complete_timeline(scores: list[float], size: int) -> None:
    rule = EventRule(0.5, merge_s=0.35, min_s=0.2)
    finder = EventFinder(rule)
    pieces = [timeline(scores[start : start + size], start=start) for start in range(0, len(scores), size)]
    piecewise = [event for piece in pieces for event in finder.push(piece)] + list(finder.finish(pieces[-1]))
    complete = find(scores, rule)
    assert len(piecewise) == len(complete)
    for event, expected in zip(piecewise, complete, strict=True):
        assert (event.start_s, event.stop_s, event.peak) == pytest.approx(
            (expected.start_s, expected.stop_s, expected.peak)
        )
