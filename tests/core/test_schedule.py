"""Schedules: which segments are asked about first, and that a budget is kept."""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from anyanomaly.core.budget import Budget, parse_budget
from anyanomaly.core.schedule import Pair, Schedule

Priorities = dict[Pair, float]

LEVELS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1)


@st.composite
def all_priorities(draw: st.DrawFn) -> Priorities:
    """Priorities of a few videos and texts; segments that could not be read leave gaps."""
    texts = draw(st.lists(st.sampled_from(["car", "dog", "fire"]), min_size=1, max_size=3, unique=True))
    return {
        Pair(f"v{video}", segment, text): draw(LEVELS)
        for video in range(draw(st.integers(1, 3)))
        for segment in sorted(draw(st.sets(st.integers(0, 40), max_size=25)))
        for text in texts
    }


budgets = st.one_of(
    st.integers(1, 300).map(lambda n: parse_budget(str(n))),
    st.integers(1, 100).map(lambda n: parse_budget(f"{n}%")),
    st.floats(0.1, 200).map(lambda rate: Budget("per-minute", rate)),
)


def follow(
    schedule: Schedule, score: Callable[[Pair], float], n_questions: Callable[[Pair], int], *, backwards: bool = False
) -> list[list[Pair]]:
    rounds = []
    while pairs := schedule.next_round():
        rounds.append(pairs)
        for pair in reversed(pairs) if backwards else pairs:
            schedule.record(pair, score(pair), n_questions(pair))
    return rounds


def flat(rounds: list[list[Pair]]) -> list[Pair]:
    return [pair for pairs in rounds for pair in pairs]


def some_score(pair: Pair) -> float:
    value = hash((len(pair.video), pair.segment * 7919 % 13, len(pair.text))) % 12 / 10
    return math.nan if value > 1 else value


@given(all_priorities(), budgets, st.integers(1, 5), st.sampled_from([0.0, 0.3]), st.floats(0.05, 30))
def test_a_budget_is_never_exceeded_and_spent_while_a_segment_is_left(priorities, budget, most, above, minutes):
    def n_questions(pair: Pair) -> int:
        return 1 + pair.segment % most

    schedule = Schedule(priorities.items(), budget, questions_per_pair=most, above=above, minutes=minutes)
    pairs = flat(follow(schedule, some_score, n_questions))
    n_asked = sum(map(n_questions, pairs))
    allowed = {pair for pair, priority in priorities.items() if priority > above}
    assert len(set(pairs)) == len(pairs)
    assert set(pairs) <= allowed
    assert schedule.n_questions == n_asked
    if budget.unit == "share":
        assert len(pairs) <= max(1, budget.amount * len(priorities) + 1e-6)
        assert len(pairs) == len(allowed) or len(pairs) + 1 > budget.amount * len(priorities)
    else:
        amount = budget.amount * (minutes if budget.unit == "per-minute" else 1)
        assert n_asked <= amount + 1e-6
        assert len(pairs) == len(allowed) or amount - n_asked < most + 1


@given(all_priorities(), budgets, st.integers(1, 4))
def test_the_choice_depends_on_neither_the_order_of_answers_nor_the_threshold(priorities, budget, most):
    first, second = (Schedule(priorities.items(), budget, questions_per_pair=most, minutes=5) for _ in range(2))
    rounds = follow(first, some_score, lambda pair: most)
    assert rounds == follow(second, some_score, lambda pair: most, backwards=True)


@given(all_priorities())
def test_without_a_budget_all_segments_above_the_limit_are_chosen(priorities):
    schedule = Schedule(priorities.items(), None, questions_per_pair=3, above=0.25)
    pairs = flat(follow(schedule, some_score, lambda pair: 3))
    assert set(pairs) == {pair for pair, priority in priorities.items() if priority > 0.25}


@given(all_priorities(), budgets, st.integers(1, 60))
def test_without_high_scores_the_highest_priorities_are_chosen(priorities, budget, n_rounds):
    schedule = Schedule(priorities.items(), budget, questions_per_pair=1, minutes=5)
    pairs = flat(follow(schedule, lambda pair: 0.4, lambda pair: 1)[:n_rounds])
    chosen = [priorities[pair] for pair in pairs]
    left = [priority for pair, priority in priorities.items() if pair not in set(pairs)]
    assert chosen == sorted(chosen, reverse=True)
    assert not chosen or not left or min(chosen) >= max(left)


@settings(max_examples=30)
@given(st.integers(1, 8), st.integers(30, 400))
def test_equal_priorities_are_spread_over_the_video(n_parts, n_segments):
    pairs = {Pair("v", segment, "car"): 0.5 for segment in range(n_segments)}
    schedule = Schedule(pairs.items(), parse_budget(str(4 * n_parts)), questions_per_pair=1)
    asked = flat(follow(schedule, lambda pair: 0.0, lambda pair: 1))
    parts = {pair.segment * n_parts // n_segments for pair in asked}
    assert parts == set(range(n_parts))


def test_ties_are_spread_over_the_videos_too():
    priorities = {Pair(video, segment, "car"): 1.0 for video in "abcd" for segment in range(16)}
    schedule = Schedule(priorities.items(), parse_budget("4"), questions_per_pair=1)
    assert {pair.video for pair in schedule.next_round()} == set("abcd")


def test_questions_follow_what_scored_high_to_both_sides_and_only_for_its_text():
    """An event of 12 segments, of which the gate saw only one; elsewhere it saw as much."""
    event = range(40, 52)
    priorities = {
        Pair("v", segment, text): 0.9 if segment % 46 == 0 else 0.2 for segment in range(200) for text in ("car", "dog")
    }

    def score(pair: Pair) -> float:
        return 0.8 if pair.text == "car" and pair.segment in event else 0.1

    schedule = Schedule(priorities.items(), parse_budget("80"), questions_per_pair=1)
    asked = flat(follow(schedule, score, lambda pair: 1))
    assert {pair.segment for pair in asked if pair.text == "car"} >= set(event)
    n_near = {text: len([p for p in asked if p.text == text and 36 <= p.segment < 56]) for text in ("car", "dog")}
    assert n_near["car"] >= 12 > n_near["dog"]


def test_what_scores_high_does_not_take_the_questions_from_other_places():
    """A long event is no reason to miss another: half of the questions go where the priority is highest."""
    priorities = {Pair("v", segment, "car"): 0.5 - segment / 1000 for segment in range(400)}
    schedule = Schedule(priorities.items(), parse_budget("100"), questions_per_pair=1)
    asked = flat(follow(schedule, lambda pair: 0.9 if pair.segment > 0 else 0.0, lambda pair: 1))
    assert len(asked) == 100
    assert {pair.segment for pair in asked} >= set(range(50))


def test_a_model_that_scores_the_same_everywhere_raises_nothing():
    priorities = {Pair("v", segment, "car"): (segment * 37 % 101) / 101 for segment in range(101)}
    schedule = Schedule(priorities.items(), parse_budget("20%"), questions_per_pair=1)
    asked = flat(follow(schedule, lambda pair: 0.9, lambda pair: 1))
    assert [priorities[pair] for pair in asked] == sorted(priorities.values(), reverse=True)[:20]


def test_rounds_grow():
    priorities = {Pair("v", segment, "car"): 0.5 for segment in range(5000)}
    schedule = Schedule(priorities.items(), parse_budget("3200"), questions_per_pair=1)
    sizes = [len(pairs) for pairs in follow(schedule, lambda pair: 0.0, lambda pair: 1)]
    assert sizes[0] == 100
    assert sizes[:-1] == sorted(sizes[:-1])
    assert max(sizes) <= 400
    assert len(sizes) <= 12


def test_questions_that_were_not_needed_are_spent_on_other_segments():
    priorities = {Pair("v", segment, "car"): 0.5 for segment in range(500)}
    schedule = Schedule(priorities.items(), parse_budget("100"), questions_per_pair=4)
    pairs = flat(follow(schedule, lambda pair: 0.0, lambda pair: 1))
    assert 96 < len(pairs) <= 100


def test_a_segment_of_a_video_that_vanished_costs_nothing():
    priorities = {Pair("v", segment, "car"): 0.5 for segment in range(100)}
    schedule = Schedule(priorities.items(), parse_budget("10"), questions_per_pair=1)
    n_asked = 0
    while pairs := schedule.next_round():
        for pair in pairs:
            is_readable = pair.segment >= 50
            n_asked += is_readable
            schedule.record(pair, 0.5 if is_readable else math.nan, int(is_readable))
    assert n_asked == 10
