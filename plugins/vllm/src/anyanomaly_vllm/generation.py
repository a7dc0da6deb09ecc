"""How vLLM samples an answer in words."""

from __future__ import annotations

from typing import Any

from anyanomaly.kit import sampling_seed
from anyanomaly.types import Query

SEED_BITS = 63  # as with transformers, so that both sample alike


def sampling_params(query: Query) -> Any:
    """Return vLLM's parameters for an answer in words; nothing of the checkpoint's own defaults applies."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = query.sampling
    return SamplingParams(
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        repetition_penalty=sampling.repetition_penalty,
        seed=sampling_seed(query, SEED_BITS) if sampling.temperature > 0 else None,
        detokenize=False,  # vLLM's own, made for streams, holds back what may be half a character
        output_kind=RequestOutputKind.FINAL_ONLY,
    )
