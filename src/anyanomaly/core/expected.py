"""From the log-probabilities of the allowed answers to an expected score. The paper does not have this scoring."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

Scale: TypeAlias = Literal["tenths", "digits", "letters"]
"""Which answers a question for an expected score allows."""

SCORES = tuple(f"{tenths / 10:.1f}" for tenths in range(11))
"""The answers that the published question asks for: a float, rounded to one decimal place."""

DIGITS = tuple("0123456789")
"""One token each: 0 is value 0, 9 is value 1."""

LETTERS = tuple("ABCDE")
"""One token each, from A, clearly absent, to E, clearly present: few enough for the question to explain them."""

SCALES: Final[Mapping[Scale, tuple[str, ...]]] = MappingProxyType(
    {"tenths": SCORES, "digits": DIGITS, "letters": LETTERS}
)
"""The allowed answers of each scale, from value 0 to value 1 in equal steps."""

YES_NO = ("yes", "no", "Yes", "No", "YES", "NO")
"""The answers to a yes-or-no question, in the spellings that models use."""

LOW_MASS = 0.5
"""Below this probability of all allowed answers, an expected score is unreliable."""


def answer_values(answers: Collection[str]) -> dict[str, float]:
    """Return the value of each allowed answer, in their order.

    All answers of one of `SCALES` have the values of that scale: of all ten digits "1" is 1/9. Any others mean what
    they say: "1" beside "0.5" is 1.

    :param answers: all answers that the question allows.
    :raises ValueError: when they are no scale, and one is neither a number nor yes or no.
    """
    scale = next((scale for scale in SCALES.values() if set(scale) == set(answers)), None)
    if scale is None:
        return {answer: _value(answer) for answer in answers}
    values = {answer: position / (len(scale) - 1) for position, answer in enumerate(scale)}
    return {answer: values[answer] for answer in answers}


def expected_score(logprobs: Mapping[str, float]) -> tuple[float, float]:
    """Return (expected score, mass), both in [0, 1]; without a finite log-probability (NaN, 0.0).

    The mass is the sum of the probabilities p of all allowed answers. The score is the sum of value * p / mass: with
    the answers yes (value 1) and no (value 0), p(yes) / (p(yes) + p(no)).

    :param logprobs: allowed answer to its natural-log probability, for all answers that `answer_values` takes.
    :raises ValueError: as `answer_values`.
    """
    values = answer_values(logprobs)
    finite = [(values[answer], logprob) for answer, logprob in logprobs.items() if math.isfinite(logprob)]
    if not finite:
        return math.nan, 0.0
    top = max(logprob for _, logprob in finite)  # subtracted, so that exp() does not underflow when the mass is tiny
    weights = [(value, math.exp(logprob - top)) for value, logprob in finite]
    total = math.fsum(weight for _, weight in weights)
    value = math.fsum(value * weight for value, weight in weights) / total
    return min(max(value, 0.0), 1.0), min(total * math.exp(top), 1.0)


def _value(answer: str) -> float:
    words = {"yes": 1.0, "no": 0.0}
    return words[answer.lower()] if answer.lower() in words else float(answer)
