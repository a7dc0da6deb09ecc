"""The image tower, without what cannot reach its vector."""

from __future__ import annotations

from typing import Any

import torch
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer


class FirstTokenBlock(torch.nn.Module):
    """A last attention block that answers for its first token only; the same numbers as the whole block."""

    def __init__(self, block: ResidualAttentionBlock) -> None:
        super().__init__()
        self.block = block

    def forward(self, states: torch.Tensor, attn_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Turn states (n, tokens, width) into (n, 1, width)."""
        block = self.block
        seen = block.ln_1(states)
        first = states[:, :1] + block.ls_1(block.attention(seen[:, :1], seen, seen, attn_mask))
        return first + block.ls_2(block.mlp(block.ln_2(first)))  # type: ignore[no-any-return]


def shorten(model: Any) -> None:
    """Let the last block of a tower that pools its first token leave out the other tokens: a fifteenth of the work."""
    tower = getattr(model, "visual", None)
    if not (isinstance(tower, VisionTransformer) and tower.pool_type == "tok" and tower.attn_pool is None):
        return
    blocks = tower.transformer.resblocks
    plain = type(blocks[-1]) is ResidualAttentionBlock and tower.transformer.batch_first
    if plain and not tower.output_tokens:
        blocks[-1] = FirstTokenBlock(blocks[-1])
