"""From log-probabilities to an expected score."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.core.expected import SCALES, SCORES, YES_NO, Scale, answer_values, expected_score


def test_it_is_the_mean_over_the_allowed_answers_renormalised() -> None:
    logprobs = {"0.0": math.log(0.1), "0.5": math.log(0.1), "1.0": math.log(0.2)}
    assert expected_score(logprobs) == (pytest.approx(0.25 / 0.4), pytest.approx(0.4))


@given(st.lists(st.floats(-2000, 0), min_size=11, max_size=11))
def test_it_is_in_range_however_small_the_mass(logprobs: list[float]) -> None:
    value, mass = expected_score(dict(zip(SCORES, logprobs, strict=True)))
    assert 0 <= value <= 1
    assert 0 <= mass <= 1


def test_without_a_usable_probability_it_is_missing() -> None:
    value, mass = expected_score({"0.0": -math.inf, "1.0": math.nan})
    assert math.isnan(value)
    assert mass == 0


def test_yes_and_no_count_in_every_spelling() -> None:
    probabilities = dict(zip(YES_NO, (0.2, 0.1, 0.1, 0.05, 0.0, 0.05), strict=True))
    logprobs = {answer: math.log(p) if p else -math.inf for answer, p in probabilities.items()}
    assert expected_score(logprobs) == (pytest.approx(0.3 / 0.5), pytest.approx(0.5))


@pytest.mark.parametrize("scale", SCALES)
def test_the_answers_of_a_scale_are_equal_steps_from_0_to_1(scale: Scale) -> None:
    answers = SCALES[scale]
    values = answer_values(answers)
    assert list(values) == list(answers)
    assert list(values.values()) == pytest.approx([step / (len(answers) - 1) for step in range(len(answers))])


@given(st.sampled_from(sorted(SCALES)), st.data())
def test_a_certain_answer_has_its_value(scale: Scale, data: st.DataObject) -> None:
    answers = SCALES[scale]
    position = data.draw(st.integers(0, len(answers) - 1))
    logprobs = {answer: 0.0 if index == position else -math.inf for index, answer in enumerate(answers)}
    shuffled = dict(data.draw(st.permutations(list(logprobs.items()))))
    assert expected_score(shuffled) == (pytest.approx(position / (len(answers) - 1)), 1.0)


def test_the_digit_1_is_a_ninth_on_the_scale_of_digits_and_1_otherwise() -> None:
    certain = {digit: 0.0 if digit == "1" else -math.inf for digit in SCALES["digits"]}
    assert expected_score(certain)[0] == pytest.approx(1 / 9)
    assert expected_score({"0": -math.inf, "0.5": -math.inf, "1": 0.0})[0] == 1.0
