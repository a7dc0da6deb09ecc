"""Probabilities of allowed answers from a server that gives the likeliest tokens at each position.

Such a server takes no token ids, so a prefix of the answer is a text, and every token that continues it to a prefix of
an allowed answer counts. The probability of tokens that are not among the likeliest, and of what follows a prefix that
was not requested, is missing: it lowers the mass and is never estimated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

NEGLIGIBLE = 1e-3
"""Prefixes whose probability is below this fraction of the mass found so far are not requested.

They would move an expected score by less than this, and each costs a request with all its images.
"""

RequestSteps: TypeAlias = "Callable[[str], tuple[str, Sequence[Step]]]"


@dataclass(frozen=True, slots=True)
class Step:
    """One generated token, and the natural-log probabilities of the likeliest tokens at its position."""

    token: str
    top: dict[str, float]


def choice_logprobs(choices: Sequence[str], request_steps: RequestSteps, max_requests: int) -> dict[str, float]:
    """Return the natural-log probability of each choice, as far as ``max_requests`` requests show it; else -inf.

    :param request_steps: takes a prefix of the answer; returns the text before the first step, and the steps from
        there on. The first prefix is "".
    """
    top_tokens: dict[str, dict[str, float]] = {}  # by prefix
    for _ in range(max_requests):
        prefix = _likeliest_unknown(choices, top_tokens)
        if prefix is None:
            break
        text, steps = request_steps(prefix)
        for step in steps:
            top_tokens[text] = step.top
            text += step.token
            if not _is_inner(text, choices):
                break
        if prefix not in top_tokens:  # the server generated something else: a second request would too
            break
    probabilities = _probabilities(choices, top_tokens)
    return {
        choice: math.log(min(probabilities[choice], 1.0)) if probabilities.get(choice) else -math.inf
        for choice in choices
    }


def _is_inner(prefix: str, choices: Sequence[str]) -> bool:
    return any(choice.startswith(prefix) and choice != prefix for choice in choices)


def _probabilities(choices: Sequence[str], top_tokens: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the probability that the answer starts with each prefix of a choice, along all ways to write it."""
    probabilities = {"": 1.0}
    for prefix in sorted(top_tokens, key=len):
        for token, logprob in top_tokens[prefix].items():
            text = prefix + token
            if token and prefix in probabilities and any(choice.startswith(text) for choice in choices):
                step_probability = math.exp(min(logprob, 0.0))
                probabilities[text] = probabilities.get(text, 0.0) + probabilities[prefix] * step_probability
    return probabilities


def _likeliest_unknown(choices: Sequence[str], top_tokens: dict[str, dict[str, float]]) -> str | None:
    """Return the likeliest prefix whose next tokens are unknown; None when only negligible ones are left."""
    probabilities = _probabilities(choices, top_tokens)
    threshold = NEGLIGIBLE * sum(probabilities.get(choice, 0.0) for choice in choices)
    unknown = [
        prefix
        for prefix, probability in probabilities.items()
        if prefix not in top_tokens and probability >= threshold and _is_inner(prefix, choices)
    ]
    return max(unknown, key=lambda prefix: probabilities[prefix], default=None)
