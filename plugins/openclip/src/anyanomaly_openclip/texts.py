"""Texts through the text tower, no longer than they are."""

from __future__ import annotations

from typing import Any

import torch
from open_clip.model import CLIP


def encode_texts(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Return the vectors (n, dim) of tokens (n, context length), as the model makes them.

    CLIP pads every text to 77 tokens, and its mask is causal: what follows the end of a text cannot reach the
    token that stands for it. So the padding is cut off; most event texts are five times shorter.
    """
    if not (isinstance(model, CLIP) and model.text_pool_type == "argmax" and model.attn_mask is not None):
        return model.encode_text(tokens)  # type: ignore[no-any-return]
    ends = tokens.argmax(dim=-1)  # the end of a text has the highest id
    n_tokens = int(ends.max()) + 1
    states = model.token_embedding(tokens[:, :n_tokens]) + model.positional_embedding[:n_tokens]
    states = states.to(model.transformer.get_cast_dtype())
    states = model.transformer(states, attn_mask=model.attn_mask[:n_tokens, :n_tokens])
    pooled = model.ln_final(states)[torch.arange(len(tokens)), ends]
    projection = model.text_projection
    return projection(pooled) if isinstance(projection, torch.nn.Linear) else pooled @ projection  # type: ignore[no-any-return]
