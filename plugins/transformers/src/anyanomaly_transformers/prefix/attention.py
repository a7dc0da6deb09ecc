"""Attention as transformers computed it up to 4.35, on which most originals ran; the last bits differ from today's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

LLAMA_ATTENTION, CLIP_ATTENTION = "divided", "scaled_before"


def register_attention(name: str) -> str:
    """Register one of the two attention functions with transformers; return its name for ``attn_implementation``."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(name, {LLAMA_ATTENTION: _llama_attention, CLIP_ATTENTION: _clip_attention}[name])
    AttentionMaskInterface.register(name, eager_mask)
    return name


def _llama_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **unused: Any
) -> tuple[Tensor, Tensor]:
    """Divide by the square root of the head width, where today's releases multiply by its inverse.

    Query, key and value are (batch, heads, length, width); so are the results of `_attend`, heads and length swapped.
    """
    import torch

    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    weights = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
    weights = weights if attention_mask is None else weights + attention_mask
    return _attend(weights.softmax(dim=-1, dtype=torch.float32).to(value.dtype), value)


def _clip_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, *args: Any, **unused: Any
) -> tuple[Tensor, Tensor]:
    """Scale the queries, where today's releases scale the scores; all of it in the model's precision."""
    return _attend(((query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)).softmax(dim=-1), value)


def _attend(weights: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    return (weights @ value).transpose(1, 2).contiguous(), weights
