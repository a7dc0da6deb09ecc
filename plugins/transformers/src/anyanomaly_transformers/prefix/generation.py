"""Answers in words after a prompt of embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from anyanomaly.kit import sampling_seed
from anyanomaly.types import Query
from anyanomaly_transformers.generation import SEED_BITS, SeededSampler, cut_at_end, end_token_ids
from anyanomaly_transformers.prefix.model import PrefixModel
from anyanomaly_transformers.prefix.profiles import Decoding, Profile

if TYPE_CHECKING:
    from torch import Tensor


def generate(model: PrefixModel, batch: Mapping[str, Tensor], queries: Sequence[Query]) -> list[list[int]]:
    """Return the new tokens of each row: up to its end mark, or to what completes a stop string.

    ``queries`` share their decoding and their length.
    """
    from transformers import GenerationConfig, StoppingCriteriaList

    how = model.profile.decode_as(queries[0])
    stops = model.profile.stop_strings
    config = GenerationConfig(
        max_new_tokens=queries[0].sampling.max_tokens,
        num_beams=how.num_beams,
        do_sample=False,
        use_cache=True,
    )
    tokens = model.language.generate(
        **batch,
        generation_config=config,
        logits_processor=_processors(how, queries),
        stopping_criteria=StoppingCriteriaList([_AtString(model.tokenizer, stops)] if stops else []),
    )
    ends = end_token_ids(model.language)
    return [_until_string(model.tokenizer, cut_at_end(each, ends), stops) for each in tokens.tolist()]


def _processors(how: Decoding, queries: Sequence[Query]) -> list[Any]:
    from transformers import RepetitionPenaltyLogitsProcessor

    processors: list[Any] = []
    if how.repetition_penalty != 1.0:  # with embeddings as prompt it sees the answer's tokens alone
        processors.append(RepetitionPenaltyLogitsProcessor(how.repetition_penalty))
    if how.temperature > 0.0:
        processors.append(
            SeededSampler([sampling_seed(query, SEED_BITS) for query in queries], how.temperature, how.top_p)
        )
    return processors


class _AtString:
    """Ends a row whose last tokens hold a stop string, however the tokenizer has cut it."""

    def __init__(self, tokenizer: Any, stops: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._stops = stops
        self._tail = max(len(stop.encode()) for stop in stops)  # a token is a byte at least

    def __call__(self, input_ids: Tensor, scores: Any, **unused: Any) -> Tensor:
        import torch

        tails = self._tokenizer.batch_decode(input_ids[:, -self._tail :], skip_special_tokens=False)
        found = [any(stop in tail for stop in self._stops) for tail in tails]
        return torch.tensor(found, dtype=torch.bool, device=input_ids.device)


def _until_string(tokenizer: Any, tokens: list[int], stops: Sequence[str]) -> list[int]:
    """Return ``tokens`` up to the one that completes a stop string; a row that ended early is padded behind it."""
    if not any(stop in tokenizer.decode(tokens) for stop in stops):
        return tokens
    lengths = range(1, len(tokens) + 1)
    return tokens[: next(n for n in lengths if any(stop in tokenizer.decode(tokens[:n]) for stop in stops))]


def decode_answer(tokenizer: Any, tokens: Sequence[int], profile: Profile) -> str:
    """Return the answer's text, without marks, without a stop string and what follows it, and without blanks around."""
    text: str = tokenizer.decode(tokens, skip_special_tokens=True)
    for stop in profile.stop_strings:
        text = text.partition(stop)[0]
    return text.strip()
