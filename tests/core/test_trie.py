"""The trie of allowed answers, against a model that is a table."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.core.expected import SCORES
from anyanomaly.core.trie import Tokens, choice_tokens, inner_paths, path_logprobs, steps

TOKENS = 5
answers = st.lists(
    st.lists(st.integers(0, TOKENS - 1), min_size=1, max_size=4).map(tuple), min_size=1, max_size=8, unique=True
)


def characters(text: str) -> list[int]:
    return list(text.encode())


def table(prefix: Tokens) -> list[float]:
    """Return the log-probabilities of the next token: a function of all tokens before it."""
    logits = random.Random(str(prefix)).choices(range(-4, 5), k=TOKENS)
    total = math.log(sum(map(math.exp, logits)))
    return [logit - total for logit in logits]


@given(answers)
def test_the_steps_are_all_that_is_needed_for_the_exact_probability_of_each_answer(choices: list[Tokens]) -> None:
    logprobs = {prefix: {token: table(prefix)[token] for token in tokens} for prefix, tokens in steps(choices).items()}
    for answer, logprob in zip(choices, path_logprobs(choices, logprobs), strict=True):
        assert math.exp(logprob) == pytest.approx(
            math.prod(math.exp(table(answer[:length])[token]) for length, token in enumerate(answer))
        )


def test_the_probabilities_of_all_strings_of_one_length_sum_to_one() -> None:
    choices = [(first, second) for first in range(TOKENS) for second in range(TOKENS)]
    logprobs = {prefix: dict(enumerate(table(prefix))) for prefix in steps(choices)}
    assert math.fsum(map(math.exp, path_logprobs(choices, logprobs))) == pytest.approx(1)


@given(answers)
def test_inner_paths_pass_through_each_prefix_and_none_is_part_of_another(choices: list[Tokens]) -> None:
    paths = inner_paths(choices)
    prefixes = {path[:length] for path in paths for length in range(1, len(path) + 1)}
    assert prefixes == set(steps(choices)) - {()}
    assert not [(a, b) for a in paths for b in paths if a != b and b[: len(a)] == a]


def test_scores_of_three_tokens_need_five_prefixes_on_two_paths() -> None:
    scores = choice_tokens(characters, "Score: ", SCORES)
    zero, one, dot = b"01."
    assert steps(scores) == {
        (): (zero, one),
        (zero,): (dot,),
        (zero, dot): tuple(b"0123456789"),
        (one,): (dot,),
        (one, dot): (zero,),
    }
    assert inner_paths(scores) == [(zero, dot), (one, dot)]


def test_a_choice_that_would_merge_with_the_question_keeps_its_own_tokens() -> None:
    merging = {"is it: ": [1, 2], "is it: yes": [1, 9], "yes": [3]}
    assert choice_tokens(merging.__getitem__, "is it: ", ["yes"]) == ((3,),)


def test_answers_without_tokens_or_probabilities_are_refused() -> None:
    with pytest.raises(ValueError, match="no tokens"):
        choice_tokens(characters, "?", [""])
    with pytest.raises(KeyError):
        path_logprobs([(1, 2)], {(): {1: -0.5}})
    with pytest.raises(ValueError, match="NaN"):
        path_logprobs([(1,)], {(): {1: math.nan}})


def test_log_probabilities_above_zero_by_rounding_become_zero() -> None:
    assert path_logprobs([(1,)], {(): {1: 1e-7}}) == [0.0]
