"""Allowed answers: their tokens, cached per question, and their log-probabilities from those of the tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from anyanomaly.core.trie import Tokens, choice_tokens, path_logprobs
from anyanomaly.errors import BackendError, UsageError

CACHE_SIZE = 1024  # of (prompt, choices): a run has few questions and many images
WIDER_PRECISION = "Half precision may be too narrow for it: use --backend.dtype bfloat16 or float32."


class ChoiceEncoder:
    """Encodes allowed answers after a prompt, with a cache.

    :param encode: text to token ids, special tokens recognised, none added at the beginning or the end.
    """

    def __init__(self, encode: Callable[[str], Sequence[int]]) -> None:
        self._encode = encode
        self._cached_tokens = lru_cache(maxsize=CACHE_SIZE)(self._tokens_after)

    def __call__(self, prompt: str, choices: tuple[str, ...]) -> tuple[Tokens, ...]:
        """Return the tokens that each of ``choices`` adds to the text ``prompt``.

        :raises UsageError: when one adds none.
        """
        return self._cached_tokens(prompt, choices)

    def _tokens_after(self, prompt: str, choices: tuple[str, ...]) -> tuple[Tokens, ...]:
        try:
            return choice_tokens(self._encode, prompt, choices)
        except ValueError as error:
            raise UsageError(f"These allowed answers cannot be used with this model: {error}.") from error


def answer_logprobs(
    answers: Sequence[Tokens], token_logprobs: Mapping[Tokens, Mapping[int, float]], advice: str
) -> list[float]:
    """Return the natural-log probability of each answer, at most 0.

    :param token_logprobs: per token prefix of an answer, the log-probability of each token that may follow.
    :param advice: what the user can do about NaN; ends the message.
    :raises BackendError: when a log-probability is NaN.
    """
    try:
        return path_logprobs(answers, token_logprobs)
    except ValueError as error:
        raise BackendError(f"The model gives NaN for the allowed answers. {advice}") from error
