"""From the log-probabilities of the allowed answers to an expected score. The paper does not have this scoring."""

from __future__ import annotations

import math
from collections.abc import Mapping

SCORES = tuple(f"{tenths / 10:.1f}" for tenths in range(11))
"""The answers that the published question asks for: a float, rounded to one decimal place."""

YES_NO = ("yes", "no", "Yes", "No", "YES", "NO")
"""The answers to a yes-or-no question, in the spellings that models use."""

LOW_MASS = 0.5
"""Below this probability of all allowed answers, an expected score is unreliable."""


def expected_score(logprobs: Mapping[str, float]) -> tuple[float, float]:
    """Return (expected score, mass), both in [0, 1]; without a finite log-probability (NaN, 0.0).

    The mass is the sum of the probabilities p of all allowed answers. The score is the sum of value * p / mass: with
    the answers yes (value 1) and no (value 0), p(yes) / (p(yes) + p(no)).

    :param logprobs: allowed answer, a number in [0, 1] or yes or no in any case, to its natural-log probability.
    :raises ValueError: when an answer is neither a number nor yes or no.
    """
    finite = [(_value(answer), logprob) for answer, logprob in logprobs.items() if math.isfinite(logprob)]
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
