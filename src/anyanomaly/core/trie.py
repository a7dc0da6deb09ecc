"""Allowed answers as a trie of token ids: where an engine has to look, and what it found to log-probabilities.

An engine gives, at a place, the distribution of the next token; a place is the tokens answered so far. For the
scores ``0.0`` to ``1.0`` with a token per character the places are ``()``, ``0``, ``0 .``, ``1`` and ``1 .``::

    answers = choice_tokens(encode, prompt, SCORES)     # token ids per allowed answer
    wanted = steps(answers)                             # place to the tokens to look up there
    found = {place: {token: logprob, ...}, ...}         # the engine's work, in one or two calls
    logprobs = path_logprobs(answers, found)            # per allowed answer

Places with a single token count too: without them the results would be shares, and not the probabilities whose
sum is the mass on the allowed set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

Tokens: TypeAlias = tuple[int, ...]


def choice_tokens(encode: Callable[[str], Sequence[int]], before: str, choices: Sequence[str]) -> tuple[Tokens, ...]:
    """Return the tokens that each of ``choices`` adds to the text ``before``.

    A tokenizer that would merge a choice with the end of ``before`` gives the choice's own tokens instead: the
    model, which has read ``before`` already, cannot go back behind its end.

    :param encode: text to token ids, without any mark of the beginning or the end.
    :raises ValueError: when a choice has no tokens.
    """
    start = list(encode(before))
    answers = []
    for choice in choices:
        whole = list(encode(before + choice))
        answers.append(tuple(whole[len(start) :] if whole[: len(start)] == start else encode(choice)))
        if not answers[-1]:
            raise ValueError(f"the allowed answer {choice!r} has no tokens; every allowed answer needs at least one")
    return tuple(answers)


def steps(answers: Sequence[Tokens]) -> dict[Tokens, tuple[int, ...]]:
    """Return each place where a distribution is needed, with the tokens to look up there; both ascending.

    A place is a proper prefix of an answer; the first is ``()``, right after the question.
    """
    wanted: dict[Tokens, set[int]] = {}
    for answer in answers:
        for length, token in enumerate(answer):
            wanted.setdefault(answer[:length], set()).add(token)
    return {place: tuple(sorted(wanted[place])) for place in sorted(wanted)}


def inner_paths(answers: Sequence[Tokens]) -> list[Tokens]:
    """Return the fewest token strings that pass through all places but ``()``, ascending.

    For an engine that gives the distribution after every token that it reads.
    """
    places = [place for place in steps(answers) if place]
    covered = {shorter for shorter, longer in pairwise(places) if longer[: len(shorter)] == shorter}
    return [place for place in places if place not in covered]


def path_logprobs(answers: Sequence[Tokens], found: Mapping[Tokens, Mapping[int, float]]) -> list[float]:
    """Return the natural-log probability of each answer: the sum along its path, at most 0.

    :param found: per place, the log-probability of each token that `steps` names there.
    :raises KeyError: when one of them is missing. :raises ValueError: when one is NaN.
    """
    logprobs = []
    for answer in answers:
        values = [found[answer[:length]][token] for length, token in enumerate(answer)]
        if any(math.isnan(value) for value in values):
            raise ValueError("the log-probability of an allowed answer is NaN")
        # an engine's rounding may leave a little above 0
        logprobs.append(math.fsum(min(value, 0.0) for value in values))
    return logprobs
