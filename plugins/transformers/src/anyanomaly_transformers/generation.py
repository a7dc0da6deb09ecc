"""Answers in words: greedy, or drawn so that an answer does not depend on which queries share its batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from anyanomaly.kit import sampling_seed
from anyanomaly.types import Query

SamplingKey: TypeAlias = tuple[int, float, float, float]


def sampling_key(query: Query) -> SamplingKey:
    """Return what queries must share to be answered in one batch: length, temperature, top_p, penalty."""
    sampling = query.sampling
    return (sampling.max_tokens, sampling.temperature, sampling.top_p, sampling.repetition_penalty)


SEED_BITS = 63  # torch takes


def generate(model: Any, inputs: Any, queries: Sequence[Query]) -> list[list[int]]:
    """Return the new tokens of each row of ``inputs``, the end mark included where there is one.

    ``queries`` share one `drawing`. Nothing of the checkpoint's own sampling defaults applies.
    """
    from transformers import GenerationConfig

    max_tokens, temperature, top_p, penalty = sampling_key(queries[0])
    processors: list[Any] = []
    if penalty != 1.0:
        processors.append(RepetitionPenalty(inputs["attention_mask"], penalty))
    if temperature > 0.0:
        processors.append(SeededSampler([sampling_seed(query, SEED_BITS) for query in queries], temperature, top_p))
    config = GenerationConfig(max_new_tokens=max_tokens, do_sample=False, num_beams=1, use_cache=True)
    tokens = model.generate(**inputs, generation_config=config, logits_processor=processors)
    stops = end_token_ids(model)
    return [cut_at_end(row, stops) for row in tokens[:, inputs["input_ids"].shape[1] :].tolist()]


def end_token_ids(model: Any) -> set[int]:
    """Return the ids of the tokens that end an answer."""
    ends = model.generation_config.eos_token_id
    return set(ends if isinstance(ends, list) else [ends]) - {None}


def cut_at_end(tokens: list[int], stops: set[int]) -> list[int]:
    """Return ``tokens`` up to the first of ``stops``, and that one."""
    end = next((position for position, token in enumerate(tokens) if token in stops), len(tokens) - 1)
    return tokens[: end + 1]


class RepetitionPenalty:
    """Repetition penalty over prompt and answer that leaves out padding, so a batch answers as its parts do."""

    def __init__(self, mask: Any, penalty: float) -> None:
        self._mask = mask.bool()
        self._penalty = penalty

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        vocabulary = scores.shape[-1]
        ids = input_ids.clamp(max=vocabulary)  # image marks may lie beyond the vocabulary: one column more
        ids[:, : self._mask.shape[1]][~self._mask] = vocabulary
        seen = torch.zeros((len(scores), vocabulary + 1), dtype=torch.bool, device=scores.device)
        seen = seen.scatter(1, ids, True)[:, :vocabulary]
        penalised = torch.where(scores > 0, scores / self._penalty, scores * self._penalty)
        return torch.where(seen, penalised, scores)


class SeededSampler:
    """Temperature and top-p, then Gumbel noise of each row's own generator.

    The largest of logits plus Gumbel noise is a draw from their softmax, so greedy decoding of the result samples.
    """

    def __init__(self, seeds: Sequence[int], temperature: float, top_p: float) -> None:
        import torch
        from transformers import TopPLogitsWarper

        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]  # on the CPU: same on any device
        self._temperature = temperature
        self._top_p = TopPLogitsWarper(top_p) if top_p < 1.0 else None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        scores = scores / self._temperature
        if self._top_p is not None:
            scores = self._top_p(input_ids, scores)
        flat = [torch.empty(scores.shape[-1]).exponential_(generator=own) for own in self._generators]
        return scores - torch.stack(flat).log().to(scores.device)
