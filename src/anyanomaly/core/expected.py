"""Log-probabilities of the allowed answers to an expected score."""

from __future__ import annotations

import math
from collections.abc import Mapping

SCORES = tuple(f"{tenths / 10:.1f}" for tenths in range(11))
"""The answers that the published question asks for: a float, rounded to one decimal place."""

YES_NO = ("yes", "no", "Yes", "No", "YES", "NO")
"""The answers to a question for yes or no, written as models write them."""


def expected_score(logprobs: Mapping[str, float]) -> tuple[float, float]:
    """Return (expected score, mass): the sum over the answers of value times probability, renormalised over them.

    ``logprobs``: natural-log probability of each allowed answer: a number in [0, 1] as words, or yes (1) and no
    (0) in any case, so that the score is p(yes) / (p(yes) + p(no)). The mass, in [0, 1], is what the model gave
    to all of them before renormalising. No usable log-probability gives (NaN, 0.0).
    """
    finite = [(_value(answer), logprob) for answer, logprob in logprobs.items() if math.isfinite(logprob)]
    if not finite:
        return math.nan, 0.0
    top = max(logprob for _, logprob in finite)  # keeps exp() from vanishing when the whole mass is tiny
    shares = [(value, math.exp(logprob - top)) for value, logprob in finite]
    total = math.fsum(share for _, share in shares)
    value = math.fsum(value * share for value, share in shares) / total
    return min(max(value, 0.0), 1.0), min(total * math.exp(top), 1.0)


def _value(answer: str) -> float:
    words = {"yes": 1.0, "no": 0.0}
    return words[answer.lower()] if answer.lower() in words else float(answer)
