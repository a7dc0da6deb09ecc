"""Sampling parameters of answers in words."""

from __future__ import annotations

from typing import Any

from anyanomaly.kit import sampling_seed
from anyanomaly.types import Query

SEED_BITS = 63  # of a torch generator


def sampling_params(query: Query) -> Any:
    """Return vLLM's SamplingParams; the checkpoint's own sampling defaults do not apply."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = query.sampling
    return SamplingParams(
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        repetition_penalty=sampling.repetition_penalty,
        seed=sampling_seed(query, SEED_BITS) if sampling.temperature > 0 else None,
        detokenize=False,  # vLLM's detokenizer, made for streams, holds back the bytes of an incomplete character
        output_kind=RequestOutputKind.FINAL_ONLY,
    )
