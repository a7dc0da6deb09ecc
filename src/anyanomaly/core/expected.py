"""Log-probabilities of the allowed answers to an expected score."""

from __future__ import annotations

import math
from collections.abc import Mapping

SCORES = tuple(f"{tenths / 10:.1f}" for tenths in range(11))
"""The answers that the published question asks for: a float, rounded to one decimal place."""


def expected_score(logprobs: Mapping[str, float]) -> tuple[float, float]:
    """Return (expected score, mass): the sum over the answers of value times probability, renormalised over them.

    ``logprobs``: natural-log probability of each allowed answer, a number in [0, 1] as words. The mass, in
    [0, 1], is what the model gave to all of them before renormalising. No usable log-probability gives
    (NaN, 0.0).
    """
    finite = {float(answer): logprob for answer, logprob in logprobs.items() if math.isfinite(logprob)}
    if not finite:
        return math.nan, 0.0
    top = max(finite.values())  # keeps exp() from vanishing when the whole mass is tiny
    shares = {value: math.exp(logprob - top) for value, logprob in finite.items()}
    total = math.fsum(shares.values())
    value = math.fsum(value * share for value, share in shares.items()) / total
    return min(max(value, 0.0), 1.0), min(total * math.exp(top), 1.0)
