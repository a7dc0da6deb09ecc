"""Which segment an event, or the highest score, is in."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.assemble.choice import Search, SegmentChoice
from anyanomaly.errors import UsageError
from anyanomaly.types import Event


def search(choice: SegmentChoice) -> Search:
    """Return a search with three segments of two seconds, of two event texts."""
    made = Search(choice)
    for segment, values in enumerate([(0.2, 0.9), (0.8, 0.9), (math.nan, 0.1)]):
        for text, value in zip(("dog", "car"), values, strict=True):
            made.add_segment("cam", text, segment, 2.0 * segment, value)
    return made


def event(text: str, start_s: float, peak_s: float) -> Event:
    return Event("cam", text, start_s, start_s + 1, 0.9, peak_s)


def test_events_count_from_1_in_the_order_of_time_over_all_texts() -> None:
    for number, expected in ((1, ("car", 0)), (2, ("dog", 1)), (3, ("car", 2))):
        made = search(SegmentChoice(event=number))
        for entry in (event("car", 3.0, 4.0), event("dog", 2.0, 3.9), event("car", 0.0, 0.5)):
            made.add_event(entry)
        match = made.match()
        assert (match.text, match.segment) == expected
        assert (match.number, match.n_events) == (number, 3)


def test_a_peak_at_the_first_frame_of_a_segment_is_in_it_although_times_are_rounded() -> None:
    made = search(SegmentChoice(event=1))
    made.add_event(event("car", 3.0, 4.0 - 4e-7))
    assert made.match().segment == 2


def test_the_highest_score_is_the_first_of_equal_ones() -> None:
    match = search(SegmentChoice()).match()
    assert (match.segment, match.text, match.event) == (0, "car", None)


@given(st.lists(st.floats(0, 1) | st.just(math.nan), min_size=1, max_size=8))
def test_the_highest_score_is_that_of_the_match(values: list[float]) -> None:
    made = Search(SegmentChoice())
    for segment, value in enumerate(values):
        made.add_segment("cam", "dog", segment, float(segment), value)
    known = [value for value in values if not math.isnan(value)]
    if known:
        assert values[made.match().segment] == max(known)
    else:
        with pytest.raises(UsageError, match="No segment has a score"):
            made.match()


def test_an_event_without_a_segment_is_an_error() -> None:
    made = Search(SegmentChoice(event=1))
    made.add_event(event("car", 0.0, 0.5))
    with pytest.raises(UsageError, match=r"no segment at the peak of event 1, 0.50 s"):
        made.match()
