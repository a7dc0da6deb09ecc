"""The log-probabilities of allowed answers, from requests that generate one token each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from anyanomaly.core.trie import Tokens, steps
from anyanomaly.kit import WIDER_PRECISION, answer_logprobs

MAX_LOGPROB_TOKENS = 128  # vLLM gives the log-probabilities of this many tokens in one request

Request: TypeAlias = tuple[Tokens, Any]
"""Answer tokens to append to the prompt, and vLLM's SamplingParams."""


class ChoiceLookup:
    """The allowed answers of one query as a trie of tokens, and the log-probabilities known so far.

    A request is the prompt followed by a prefix of an answer. The token that it generates gives the distribution after
    the prefix; its prompt log-probabilities give those of the prefix's own tokens. For ``0.0`` to ``1.0`` with a token
    per character three requests are enough: for the empty prefix, ``0 .`` and ``1 .``; the last two also give what
    follows ``0`` and ``1``.
    """

    def __init__(self, answers: tuple[Tokens, ...], n_prompt: int) -> None:
        """:param answers: tokens of each allowed answer. :param n_prompt: tokens of the prompt."""
        self._answers = answers
        self._n_prompt = n_prompt
        self._tokens_after = steps(answers)
        self._logprobs: dict[Tokens, dict[int, float]] = {}

    def first_requests(self) -> list[Request]:
        """Return the requests to start with: the empty prefix, and each prefix that no longer request covers."""
        prefixes = [
            prefix
            for prefix, tokens in self._tokens_after.items()
            if not prefix or any((*prefix, token) not in self._tokens_after for token in tokens)
        ]
        return [(prefix, params) for prefix in prefixes for params in self._sampling_params(prefix)]

    def missing_requests(self) -> list[Request]:
        """Return the requests for prefixes that are still unknown.

        vLLM gives no prompt log-probabilities for tokens in its prefix cache: those of a repeated query.
        """
        missing = [
            prefix
            for prefix, tokens in self._tokens_after.items()
            if not self._logprobs.get(prefix, {}).keys() >= {*tokens}
        ]
        return [(prefix, params) for prefix in missing for params in self._sampling_params(prefix)]

    def record(self, prefix: Tokens, output: Any) -> None:
        """Add the log-probabilities in vLLM's output of a request for ``prefix``."""
        self._add(prefix, output.outputs[0].logprobs[0])
        prompt_logprobs, n_cached = output.prompt_logprobs or [], output.num_cached_tokens
        for back in range(1, len(prefix)):  # the token at this distance from the end
            token, before = prefix[-back], prefix[:-back]
            row = prompt_logprobs[-back] if back < len(prompt_logprobs) else None
            if n_cached is None or n_cached >= self._n_prompt + len(before) or not row or token not in row:
                break
            self._add(before, {token: row[token]})

    def answer_logprobs(self) -> list[float]:
        """Return the natural-log probability of each answer.

        :raises BackendError: when the model gives NaN.
        """
        return answer_logprobs(self._answers, self._logprobs, WIDER_PRECISION)

    def _add(self, prefix: Tokens, logprobs: Any) -> None:
        values = {token: entry.logprob for token, entry in logprobs.items()}
        self._logprobs.setdefault(prefix, {}).update(values)

    def _sampling_params(self, prefix: Tokens) -> Iterator[Any]:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        tokens = self._tokens_after[prefix]
        for start in range(0, len(tokens), MAX_LOGPROB_TOKENS):
            yield SamplingParams(
                max_tokens=1,
                temperature=0.0,
                logprob_token_ids=list(tokens[start : start + MAX_LOGPROB_TOKENS]),
                prompt_logprobs=0 if len(prefix) > 1 and not start else None,
                skip_reading_prefix_cache=False,  # vLLM's default with prompt_logprobs repeats the whole prefill
                flat_logprobs=True,  # of each token of the prompt: lists of numbers instead of an object each
                detokenize=False,
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
