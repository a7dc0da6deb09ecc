"""Encode texts without their padding."""

from __future__ import annotations

from typing import Any

import torch
from open_clip.model import CLIP


def encode_texts(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Return the model's text vectors (n, dim) for token ids (n, context length).

    CLIP pads every text to 77 tokens. Its attention is causal, so padding after the end token cannot change the end
    token's state, which becomes the vector. This function therefore removes the padding that is common to all texts;
    most event texts are five times shorter than the context length.
    """
    if not (isinstance(model, CLIP) and model.text_pool_type == "argmax" and model.attn_mask is not None):
        return model.encode_text(tokens)  # type: ignore[no-any-return]
    end_positions = tokens.argmax(dim=-1)  # the end token has the highest id
    n_tokens = int(end_positions.max()) + 1
    states = model.token_embedding(tokens[:, :n_tokens]) + model.positional_embedding[:n_tokens]
    states = states.to(model.transformer.get_cast_dtype())
    states = model.transformer(states, attn_mask=model.attn_mask[:n_tokens, :n_tokens])
    pooled = model.ln_final(states)[torch.arange(len(tokens)), end_positions]
    projection = model.text_projection
    return projection(pooled) if isinstance(projection, torch.nn.Linear) else pooled @ projection  # type: ignore[no-any-return]
