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
    """Return the new tokens of each row, up to its end token or the token that completes a stop string.

    :param batch: from ``pad_batch``.
    :param queries: one per row, with equal decoding and length.
    """
    from transformers import GenerationConfig, StoppingCriteriaList

    decoding = model.profile.decode_as(queries[0])
    stops = model.profile.stop_strings
    config = GenerationConfig(
        max_new_tokens=queries[0].sampling.max_tokens,
        num_beams=decoding.num_beams,
        do_sample=False,
        use_cache=True,
    )
    tokens = model.language.generate(
        **batch,
        generation_config=config,
        logits_processor=_processors(decoding, queries),
        stopping_criteria=StoppingCriteriaList([_StopAtString(model.tokenizer, stops)] if stops else []),
    )
    end_tokens = end_token_ids(model.language)
    return [_cut_at_string(model.tokenizer, cut_at_end(row, end_tokens), stops) for row in tokens.tolist()]


def _processors(decoding: Decoding, queries: Sequence[Query]) -> list[Any]:
    from transformers import RepetitionPenaltyLogitsProcessor

    processors: list[Any] = []
    if decoding.repetition_penalty != 1.0:  # over the answer only: the prompt is embeddings
        processors.append(RepetitionPenaltyLogitsProcessor(decoding.repetition_penalty))
    if decoding.temperature > 0.0:
        processors.append(
            SeededSampler([sampling_seed(query, SEED_BITS) for query in queries], decoding.temperature, decoding.top_p)
        )
    return processors


class _StopAtString:
    """Ends a row whose last tokens hold a stop string, however the tokenizer splits it."""

    def __init__(self, tokenizer: Any, stops: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._stops = stops
        self._n_tail = max(len(stop.encode()) for stop in stops)  # tokens; each is a byte or more

    def __call__(self, input_ids: Tensor, scores: Any, **unused: Any) -> Tensor:
        import torch

        tails = self._tokenizer.batch_decode(input_ids[:, -self._n_tail :], skip_special_tokens=False)
        has_stop = [any(stop in tail for stop in self._stops) for tail in tails]
        return torch.tensor(has_stop, dtype=torch.bool, device=input_ids.device)


def _cut_at_string(tokenizer: Any, tokens: list[int], stops: Sequence[str]) -> list[int]:
    """Return ``tokens`` up to the one that completes a stop string: padding follows it in a batch."""
    if not any(stop in tokenizer.decode(tokens) for stop in stops):
        return tokens
    lengths = range(1, len(tokens) + 1)
    return tokens[: next(n for n in lengths if any(stop in tokenizer.decode(tokens[:n]) for stop in stops))]


def decode_answer(tokenizer: Any, tokens: Sequence[int], profile: Profile) -> str:
    """Return the answer's text up to the first stop string, stripped, without special tokens."""
    text: str = tokenizer.decode(tokens, skip_special_tokens=True)
    for stop in profile.stop_strings:
        text = text.partition(stop)[0]
    return text.strip()
