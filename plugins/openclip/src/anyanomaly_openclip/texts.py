"""Encode texts without their padding."""

from __future__ import annotations

from typing import Any

import torch
from open_clip.model import CLIP
from open_clip.transformer import TextTransformer, text_global_pool


def encode_texts(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Return the model's text vectors (n, dim) for token ids (n, context length).

    Models pad every text to their context length, 77 tokens in CLIP. Where attention is causal and the end token's
    state becomes the vector, padding after it cannot change the vector. This function therefore removes the padding
    that is common to all texts; most event texts are five times shorter than the context length. Text towers of
    other kinds, such as SigLIP's, get the padding that they were trained with.
    """
    if isinstance(model, CLIP):
        tower, pool, end_id = model, model.text_pool_type, model.text_eos_id
    elif isinstance(tower := getattr(model, "text", None), TextTransformer) and tower.cls_emb is None:
        pool, end_id = tower.pool_type, tower.eos_id
    else:
        return model.encode_text(tokens)  # type: ignore[no-any-return]
    if tower.attn_mask is None or pool not in {"argmax", "eos"}:
        return model.encode_text(tokens)  # type: ignore[no-any-return]
    # the end token has the highest id in a vocabulary like CLIP's, else an id of its own
    end_positions = tokens.argmax(dim=-1) if pool == "argmax" else (tokens == end_id).int().argmax(dim=-1)
    n_tokens = int(end_positions.max()) + 1
    tokens = tokens[:, :n_tokens]
    states = tower.token_embedding(tokens) + tower.positional_embedding[:n_tokens]
    states = states.to(tower.transformer.get_cast_dtype())
    states = tower.transformer(states, attn_mask=tower.attn_mask[:n_tokens, :n_tokens])
    pooled = text_global_pool(tower.ln_final(states), tokens, pool, eos_token_id=end_id)
    projection = tower.text_projection
    if projection is None:
        return pooled  # type: ignore[no-any-return]
    return projection(pooled) if isinstance(projection, torch.nn.Linear) else pooled @ projection  # type: ignore[no-any-return]
