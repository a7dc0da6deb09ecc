"""The log-probabilities of allowed answers, out of requests that generate one token each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from anyanomaly.core.trie import Tokens, steps
from anyanomaly.kit import WIDER_PRECISION, answer_logprobs

MOST_TOKENS = 128  # whose log-probabilities vLLM gives at one place


class Lookup:
    """One question's allowed answers as a trie of tokens, and what is known of its places.

    A request for a place is the question with the tokens that lead there. The token that it generates tells what may
    follow, before the draw; its own last tokens tell how likely they were. So ``0.0`` to ``1.0`` with a token per
    character take three requests, for the start, ``0 .`` and ``1 .``, and what follows ``0`` and ``1`` is told on
    the way.
    """

    def __init__(self, answers: tuple[Tokens, ...], n_prompt: int) -> None:
        """:param n_prompt: tokens of the question."""
        self._answers = answers
        self._n_prompt = n_prompt
        self._wanted = steps(answers)
        self._found: dict[Tokens, dict[int, float]] = {}

    def first(self) -> list[tuple[Tokens, Any]]:
        """Return the places to ask at and the parameters: all whose tokens no deeper request tells, and the start."""
        ends = [
            place
            for place, tokens in self._wanted.items()
            if not place or any((*place, token) not in self._wanted for token in tokens)
        ]
        return [(place, how) for place in ends for how in self._ways(place)]

    def missing(self) -> list[tuple[Tokens, Any]]:
        """Return the same for each place that was not told on the way.

        What vLLM has in its cache it does not compute, and tells nothing about: a question asked before.
        """
        left = [place for place, tokens in self._wanted.items() if not self._found.get(place, {}).keys() >= {*tokens}]
        return [(place, how) for place in left for how in self._ways(place)]

    def hear(self, place: Tokens, output: Any) -> None:
        """Take in vLLM's answer to a request for ``place``."""
        self._add(place, output.outputs[0].logprobs[0])
        told, cached = output.prompt_logprobs or [], output.num_cached_tokens
        for back in range(1, len(place)):  # the token that far from the end
            token, before = place[-back], place[:-back]
            row = told[-back] if back < len(told) else None
            if cached is None or cached >= self._n_prompt + len(before) or not row or token not in row:
                break
            self._add(before, {token: row[token]})

    def values(self) -> list[float]:
        """Return the natural-log probability of each answer.

        :raises BackendError: when the model gives no numbers.
        """
        return answer_logprobs(self._answers, self._found, WIDER_PRECISION)

    def _add(self, place: Tokens, told: Any) -> None:
        self._found.setdefault(place, {}).update({token: each.logprob for token, each in told.items()})

    def _ways(self, place: Tokens) -> Iterator[Any]:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        tokens = self._wanted[place]
        for start in range(0, len(tokens), MOST_TOKENS):
            yield SamplingParams(
                max_tokens=1,
                temperature=0.0,
                logprob_token_ids=list(tokens[start : start + MOST_TOKENS]),
                prompt_logprobs=0 if len(place) > 1 and not start else None,
                skip_reading_prefix_cache=False,  # else a request with prompt_logprobs reads the whole question anew
                detokenize=False,
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
