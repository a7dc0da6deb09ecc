"""Stamps of packets to one timeline: what is kept, what is mended, and what is told."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.builtin.video_clock import WRAP_TICKS, Clock

MILLISECOND = Fraction(1, 1000)


def place(
    stamps: list[int | None], *, step_s: float = 0.04, may_jump: bool = False, time_base: Fraction = MILLISECOND
) -> tuple[list[float], list[tuple[str, float]]]:
    """Return the times of frames, and the kinds and places of discontinuities."""
    clock = Clock(time_base, step_s, may_jump=may_jump)
    times_s = [clock.time(stamp, following) for stamp, following in pairwise([*stamps, None])]
    return times_s, [(place.kind, round(place.time_s, 3)) for place in clock.discontinuities]


@given(
    stamps=st.lists(st.none() | st.integers(-(2**40), 2**40) | st.integers(0, 200), max_size=60),
    may_jump=st.booleans(),
)
def test_any_stamps_give_a_strictly_increasing_timeline_from_zero(stamps: list[int | None], may_jump: bool) -> None:
    times_s, _ = place(stamps, may_jump=may_jump)
    assert times_s[:1] in ([], [0.0])
    assert all(time_s < following_s for time_s, following_s in pairwise(times_s))


@given(steps=st.lists(st.integers(1, 400), min_size=1, max_size=60), first=st.integers(-(10**6), 10**6))
def test_a_variable_rate_is_kept_exactly(steps: list[int], first: int) -> None:
    stamps = [first, *(first + int(total) for total in np.cumsum(steps))]
    times_s, places = place(list(stamps))
    assert times_s == [(stamp - first) / 1000 for stamp in stamps]
    assert places == []


def test_without_stamps_the_nominal_rate_counts() -> None:
    times_s, places = place([None] * 50)
    np.testing.assert_allclose(times_s, np.arange(50) / 25)
    assert places == []


@pytest.mark.parametrize("back_to", [0, 900, 1900, -5000])
def test_stamps_that_jump_back_follow_on_and_are_told_once(back_to: int) -> None:
    stamps = [*range(0, 2000, 40), *range(back_to, back_to + 2000, 40)]
    times_s, places = place(list(stamps))
    np.testing.assert_allclose(times_s, np.arange(100) / 25)
    assert places == [("restart", 1.96)]


def test_a_count_of_33_bits_that_starts_again_is_no_discontinuity() -> None:
    stamps = [(WRAP_TICKS - 90_000 + 3600 * number) % WRAP_TICKS for number in range(50)]
    times_s, places = place(list(stamps), time_base=Fraction(1, 90_000), may_jump=True)
    np.testing.assert_allclose(times_s, np.arange(50) / 25)
    assert places == []


def test_a_long_gap_in_an_mpeg_stream_is_closed_and_a_short_one_kept() -> None:
    stamps = [*range(0, 2000, 40), *range(3_602_000, 3_604_000, 40)]
    times_s, places = place(list(stamps), may_jump=True)
    np.testing.assert_allclose(times_s, np.arange(100) / 25)
    assert places == [("closed gap", 1.96)]
    times_s, places = place([*range(0, 2000, 40), *range(5000, 7000, 40)], may_jump=True)
    assert times_s[50] == 5.0
    assert places == [("gap", 1.96)]


def test_a_pause_in_another_container_is_kept_and_told() -> None:
    times_s, places = place([*range(0, 2000, 40), *range(62_000, 64_000, 40)])
    assert times_s[50] == 62.0
    assert places == [("gap", 1.96)]


@pytest.mark.parametrize("may_jump", [False, True])
def test_slow_slides_and_a_screen_recording_have_no_gaps(may_jump: bool) -> None:
    slides = [0, 5000, 12_000, 31_000, 36_000, 41_000]
    recording = [0, 16, 33, 500, 516, 900, 916, 933, 5000, 5016, 9000]
    assert place(list(slides), step_s=5.0, may_jump=may_jump)[1] == []
    assert place(list(recording), step_s=1 / 60, may_jump=may_jump)[1] == []


def test_repeated_stamps_and_one_out_of_order_stay_between_their_neighbours() -> None:
    times_s, places = place([0, 40, 40, 80, 120, 200, 160, 240])
    assert places == []
    assert [times_s[at] for at in (0, 1, 3, 4, 5, 7)] == [0, 0.04, 0.08, 0.12, 0.2, 0.24]
    assert 0.04 < times_s[2] < 0.08
    assert 0.2 < times_s[6] < 0.24


def test_stamps_that_are_wrong_for_a_moment_are_no_restart() -> None:
    ticks = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 10, 11, 12, 13, 14, 15, 16, 17, 18, 21, 22, 23, 24]  # of a DVD file
    times_s, places = place([tick * 40 for tick in ticks])
    np.testing.assert_allclose(times_s, np.arange(25) / 25)
    assert places == []


def test_stamps_that_never_change_say_nothing() -> None:
    times_s, _ = place([0] * 100)
    assert times_s[-1] == pytest.approx(4.0, abs=0.2)
