"""Attention as releases of transformers up to 4.35 computed it, on which most originals ran: the last bits differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

LLAMA_ATTENTION, CLIP_ATTENTION = "divided", "scaled_before"


def register_attention(name: str) -> str:
    """Make one of them known to transformers, and return its name."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(name, {LLAMA_ATTENTION: _llama, CLIP_ATTENTION: _clip}[name])
    AttentionMaskInterface.register(name, eager_mask)
    return name


def _llama(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **unused: Any
) -> tuple[Tensor, Tensor]:
    """Divide by the root of the width, where today's releases multiply by its inverse."""
    import torch

    groups = query.shape[1] // key.shape[1]
    key, value = (each.repeat_interleave(groups, dim=1) if groups > 1 else each for each in (key, value))
    weights = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
    weights = weights if attention_mask is None else weights + attention_mask
    return _gather(weights.softmax(dim=-1, dtype=torch.float32).to(value.dtype), value)


def _clip(module: Any, query: Tensor, key: Tensor, value: Tensor, *rest: Any, **unused: Any) -> tuple[Tensor, Tensor]:
    """Multiply the queries, where today's releases multiply what comes of them; in half precision all of it."""
    return _gather(((query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)).softmax(dim=-1), value)


def _gather(weights: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    return (weights @ value).transpose(1, 2).contiguous(), weights
