"""Allowed answers followed token by token in what a server tells: the likeliest tokens after each place.

A server of this kind takes no token ids, so a place is the text answered so far, and whatever tokens lead on to
an allowed answer count. What is not among the likeliest tokens, and what lies behind a place that could not be
looked at, is lost: it lowers the mass, and is never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

NEGLIGIBLE = 1e-3
"""A place that less than this share of what is known to end in an allowed answer reaches is not looked at.

It would move an expected score by less than this, and cost a request with all its images.
"""

Ask: TypeAlias = "Callable[[str], tuple[str, Sequence[Step]]]"


@dataclass(frozen=True, slots=True)
class Step:
    """One token that a server generated, and the natural-log probabilities of the likeliest in its place."""

    token: str
    top: dict[str, float]


def follow(choices: Sequence[str], ask: Ask, most: int) -> dict[str, float]:
    """Return the natural-log probability of each choice, as far as ``most`` requests tell.

    :param ask: from a place to where its answer starts, and the steps from there; the first place is "".
    """
    known: dict[str, dict[str, float]] = {}
    for _ in range(most):
        place = _unknown(choices, known)
        if place is None:
            break
        at, steps = ask(place)
        for step in steps:
            known[at] = step.top
            at += step.token
            if not _inner(at, choices):
                break
        if place not in known:  # the server said something else: to ask again would not help
            break
    reached = _reached(choices, known)
    return {choice: math.log(min(reached[choice], 1.0)) if reached.get(choice) else -math.inf for choice in choices}


def _inner(place: str, choices: Sequence[str]) -> bool:
    return any(choice.startswith(place) and choice != place for choice in choices)


def _reached(choices: Sequence[str], known: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the probability with which the answer passes through, or ends at, each text on the way to a choice."""
    reached = {"": 1.0}
    for place in sorted(known, key=len):
        for token, logprob in known[place].items():
            text = place + token
            if token and place in reached and any(choice.startswith(text) for choice in choices):
                reached[text] = reached.get(text, 0.0) + reached[place] * math.exp(min(logprob, 0.0))
    return reached


def _unknown(choices: Sequence[str], known: dict[str, dict[str, float]]) -> str | None:
    """Return the place that most of the probability reaches and nothing is known about."""
    reached = _reached(choices, known)
    least = NEGLIGIBLE * sum(reached.get(choice, 0.0) for choice in choices)
    unknown = [
        place
        for place, probability in reached.items()
        if place not in known and probability >= least and _inner(place, choices)
    ]
    return max(unknown, key=lambda place: reached[place], default=None)
