"""Queries to what vLLM takes."""

from __future__ import annotations

from typing import Any

from anyanomaly_transformers.words import content_seed

from anyanomaly.types import Query


def messages(query: Query, *, system_turn: bool = True) -> list[dict[str, Any]]:
    """Return the conversation; without a system turn, the system text stands before the question."""
    from PIL import Image

    apart = system_turn and query.system
    prompt = query.prompt if apart or not query.system else f"{query.system}\n{query.prompt}"
    images: list[dict[str, Any]] = [
        {"type": "image_pil", "image_pil": Image.fromarray(image)} for image in query.images
    ]
    words = [{"type": "text", "text": prompt}]
    turns = [{"role": "system", "content": [{"type": "text", "text": query.system}]}] if apart else []
    return [*turns, {"role": "user", "content": words + images if query.text_first else images + words}]


def drawing(query: Query) -> Any:
    """Return vLLM's parameters for an answer in words; nothing of the checkpoint's own defaults applies."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = query.sampling
    return SamplingParams(
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        repetition_penalty=sampling.repetition_penalty,
        seed=content_seed(query) if sampling.temperature > 0 else None,
        detokenize=False,  # vLLM's own, made for streams, holds back what may be half a character
        output_kind=RequestOutputKind.FINAL_ONLY,
    )
