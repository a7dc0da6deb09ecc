"""What is drawn before the end of a run is what would be drawn after it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anyanomaly.core.events import EventFinder, EventRule
from anyanomaly.media.annotated_scores import HORIZON_S, TextScores
from anyanomaly.types import Event, QueryId, Score, SegmentScore, Timeline, Video

FPS = 10.0
VIDEO = Video("v", "v.mp4", FPS, None, 4, 4)


def piece_of(scores: Sequence[float], start: int) -> Timeline:
    times_s = (np.arange(len(scores)) + start) / FPS
    series = np.array(scores, np.float32)
    return Timeline(VIDEO, "t", start, times_s, series.copy(), series, {})


def segment_of(start: int, value: float, answer: str) -> SegmentScore:
    score = Score(QueryId("v", start, "t", "key"), value, answer)
    return SegmentScore(VIDEO, start, start, start + 10, (np.arange(10) + start) / FPS, "t", {"key": score}, value)


def covering(scores: TextScores, time_s: float) -> list[tuple[float, float, str]]:
    spans = scores.spans(time_s, time_s + 1e-9)
    return [(span.start_s, span.stop_s, span.reason) for span in spans]


@given(
    series=st.lists(st.sampled_from([0.1, 0.4, 0.5, 0.9, float("nan")]), min_size=1, max_size=60),
    n_per_piece=st.integers(1, 25),
    delay=st.integers(0, 3),
    rule=st.builds(EventRule, st.just(0.5), st.sampled_from([0.0, 0.1, 0.3, 1.0]), st.sampled_from([0.0, 0.2, 0.5])),
)
@example(series=[0.1] * 7 + [0.5, 0.5], n_per_piece=1, delay=0, rule=EventRule(0.5, 0.0, 0.2))  # 0.7 + 0.1 < 0.8
def test_what_is_certain_never_changes(series: list[float], n_per_piece: int, delay: int, rule: EventRule) -> None:
    """``delay``: pieces after which an event is announced, for a reason that takes long."""
    scores, finder = TextScores(rule), EventFinder(rule, lambda frame: f"reason {frame}")
    drawn: dict[float, list[tuple[float, float, str]]] = {}
    announced: list[tuple[int, Event]] = []
    events: list[Event] = []
    piece = piece_of(series[:1], 0)
    for number, start in enumerate(range(0, len(series), n_per_piece)):
        piece = piece_of(series[start : start + n_per_piece], start)
        scores.add_piece(piece)
        announced += [(number + delay, event) for event in finder.push(piece)]
        for due, event in announced:
            if due == number:
                scores.add_event(event)
                events.append(event)
        for frame in range(start + len(piece.times_s)):
            if frame / FPS < scores.certain_s and frame / FPS not in drawn:
                drawn[frame / FPS] = covering(scores, frame / FPS)
    last = [event for due, event in announced if event not in events] + list(finder.finish(piece))
    for event in last:
        scores.add_event(event)
    scores.finish()
    events += last
    for time_s, spans in drawn.items():
        expected = [(e.start_s, e.stop_s, e.rationale) for e in events if e.start_s <= time_s < e.stop_s]
        assert spans == expected
        assert covering(scores, time_s) == expected


def test_all_frames_are_certain_at_the_end() -> None:
    scores = TextScores(EventRule())
    scores.add_piece(piece_of([0.9] * 20, 0))
    assert scores.certain_s == 0.0
    scores.finish()
    assert scores.certain_s == float("inf")
    assert scores.spans(0, 2) == []  # the run announced no event


def test_an_event_without_end_is_drawn_with_the_reason_so_far() -> None:
    scores = TextScores(EventRule())
    n_frames = round((HORIZON_S + 20) * FPS)
    for start in range(0, n_frames, 10):
        value = 0.95 if start == 50 else 0.9
        scores.add_segment(segment_of(start, value, f"{value}. Reason {start}."))
        scores.add_piece(piece_of([value] * 10, start))
    assert scores.certain_s == pytest.approx(20)
    assert covering(scores, 10.0) == [(0.0, float("inf"), "Reason 50.")]


def test_without_a_rule_events_are_drawn_as_announced() -> None:
    scores = TextScores(None)
    scores.add_piece(piece_of([0.9] * 100, 0))
    assert scores.certain_s < 0
    scores.add_event(Event("v", "t", 1.0, 2.0, 0.9, 1.5, "Why."))
    assert covering(scores, 1.5) == [(1.0, 2.0, "Why.")]


def test_memory_does_not_grow_with_the_video() -> None:
    scores = TextScores(EventRule())
    for start in range(0, 10_000, 10):
        scores.add_segment(segment_of(start, 0.1, "0.1"))
        scores.add_piece(piece_of([0.1] * 10, start))
        scores.forget(start / FPS - 20)
    times_s, *_ = scores.scores(0, 1000)
    assert len(times_s) < 300


@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=50), st.integers(1, 20), st.floats(0, 5), st.floats(0, 5)
)
def test_the_curve_has_the_frames_of_the_window(
    series: list[float], n_per_piece: int, begin_s: float, length_s: float
) -> None:
    scores = TextScores(EventRule())
    for start in range(0, len(series), n_per_piece):
        scores.add_piece(piece_of(series[start : start + n_per_piece], start))
    times_s, values, asked = scores.scores(begin_s, begin_s + length_s)
    assert asked.shape == times_s.shape
    assert list(times_s) == sorted(set(times_s))
    expected = {frame / FPS for frame in range(len(series)) if begin_s <= frame / FPS <= begin_s + length_s}
    assert expected <= set(times_s)
    assert [float(value) for value in values] == [series[round(time_s * FPS)] for time_s in times_s]
