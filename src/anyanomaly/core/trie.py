"""Allowed answers as a trie of token ids: which distributions an engine must look up, and from these to probabilities.

An engine gives the distribution of the next token after a prefix, the tokens answered so far. For the scores ``0.0``
to ``1.0`` with one token per character the prefixes are ``()``, ``0``, ``0 .``, ``1`` and ``1 .``::

    answers = choice_tokens(encode, prompt, SCORES)     # token ids per allowed answer
    lookups = steps(answers)                            # prefix to the tokens to look up after it
    logprobs = {prefix: {token: logprob, ...}, ...}     # the engine's work, in one or two calls
    path_logprobs(answers, logprobs)                    # one log-probability per allowed answer

Prefixes that a single token can follow are looked up too: the mass of all allowed answers needs probabilities that are
not renormalised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

Tokens: TypeAlias = tuple[int, ...]


def choice_tokens(encode: Callable[[str], Sequence[int]], before: str, choices: Sequence[str]) -> tuple[Tokens, ...]:
    """Return the tokens that each of ``choices`` adds to the text ``before``.

    Where the tokenizer would merge the end of ``before`` with a choice, the choice is encoded on its own: the model
    has read ``before`` already, so its tokens are fixed.

    :param encode: from text to token ids, without special tokens.
    :raises ValueError: when a choice has no tokens.
    """
    start = list(encode(before))
    answers = []
    for choice in choices:
        joint = list(encode(before + choice))
        answers.append(tuple(joint[len(start) :] if joint[: len(start)] == start else encode(choice)))
        if not answers[-1]:
            raise ValueError(f"the allowed answer {choice!r} has no tokens; every allowed answer needs at least one")
    return tuple(answers)


def steps(answers: Sequence[Tokens]) -> dict[Tokens, tuple[int, ...]]:
    """Return each prefix after which a distribution is needed, with the tokens to look up there; both ascending.

    The prefixes are the proper prefixes of the answers. The first is ``()``, right after the question.
    """
    lookups: dict[Tokens, set[int]] = {}
    for answer in answers:
        for length, token in enumerate(answer):
            lookups.setdefault(answer[:length], set()).add(token)
    return {prefix: tuple(sorted(lookups[prefix])) for prefix in sorted(lookups)}


def inner_paths(answers: Sequence[Tokens]) -> list[Tokens]:
    """Return the fewest token sequences that pass through all prefixes but ``()``, ascending.

    For an engine that gives the distribution after every token that it reads.
    """
    prefixes = [prefix for prefix in steps(answers) if prefix]
    covered = {shorter for shorter, longer in pairwise(prefixes) if longer[: len(shorter)] == shorter}
    return [prefix for prefix in prefixes if prefix not in covered]


def path_logprobs(answers: Sequence[Tokens], logprobs: Mapping[Tokens, Mapping[int, float]]) -> list[float]:
    """Return the natural-log probability of each answer, at most 0: the sum over its tokens.

    :param logprobs: prefix to the log-probability of each token that `steps` names for it.
    :raises KeyError: when one of them is missing. :raises ValueError: when one is NaN.
    """
    sums = []
    for answer in answers:
        values = [logprobs[answer[:length]][token] for length, token in enumerate(answer)]
        if any(math.isnan(value) for value in values):
            raise ValueError("the log-probability of an allowed answer is NaN")
        # an engine's rounding may leave a little above 0
        sums.append(math.fsum(min(value, 0.0) for value in values))
    return sums
