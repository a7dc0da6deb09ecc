"""The worst false alarms and misses of a run."""

from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.report.mistakes import MIN_DISTANCE_S, ScoredSegment, worst_false_alarms, worst_misses


def segments(*values: float, length_s: float = 2.0) -> list[ScoredSegment]:
    return [
        ScoredSegment("cam", "run", number, number * length_s, (number + 1) * length_s, value)
        for number, value in enumerate(values)
    ]


def test_false_alarms_are_the_highest_segments_outside_the_truth() -> None:
    alarms = worst_false_alarms(segments(0.9, 0.1, 0.2, 0.1, 0.1, 0.8, 0.3, 0.95), [(0.0, 2.0), (15.0, 16.0)], 2)
    assert [(alarm.segment, alarm.value) for alarm in alarms] == [(5, 0.8), (1, 0.1)]


def test_neighbouring_segments_are_one_false_alarm() -> None:
    alarms = worst_false_alarms(segments(0.7, 0.9, 0.8, 0.1, 0.1, 0.6), [], 3)
    assert [alarm.segment for alarm in alarms] == [1, 5]


def test_misses_are_the_spans_whose_highest_segment_is_lowest() -> None:
    spans = [(0.0, 4.0), (6.0, 7.0), (9.0, 12.0)]
    misses = worst_misses(segments(0.1, 0.6, 0.0, 0.2, 0.3, 0.4), spans, 2)
    assert [(miss.start_s, miss.best.segment, miss.best.value) for miss in misses] == [(6.0, 3, 0.2), (9.0, 5, 0.4)]


def test_unreadable_scores_are_neither() -> None:
    unreadable = segments(math.nan, math.nan)
    assert worst_false_alarms(unreadable, [], 3) == []
    assert worst_misses(unreadable, [(0.0, 4.0)], 3) == []


scores = st.lists(st.floats(0, 1), min_size=1, max_size=30)
truths = st.lists(st.tuples(st.floats(0, 60), st.floats(0.1, 10)).map(lambda span: (span[0], sum(span))), max_size=4)


@given(scores, truths)
def test_no_other_segment_is_a_worse_mistake(values: list[float], truth: list[tuple[float, float]]) -> None:
    run = segments(*values)
    outside = [part for part in run if not any(part.start_s < stop and start < part.stop_s for start, stop in truth)]
    alarms = worst_false_alarms(run, truth, 5)
    assert set(alarms) <= set(outside)
    assert bool(alarms) == bool(outside)
    if alarms:
        assert alarms[0].value == max(part.value for part in outside)
    starts = sorted(alarm.start_s for alarm in alarms)
    assert all(later - earlier >= MIN_DISTANCE_S for earlier, later in itertools.pairwise(starts))
    bests = [miss.best.value for miss in worst_misses(run, truth, 5)]
    assert bests == sorted(bests)
