"""Speed up the image tower, with the same vectors: skip tokens that nothing reads, fuse parallel convolutions."""

from __future__ import annotations

from typing import Any

import torch
from open_clip.timm_model import TimmModel
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer


class FirstTokenBlock(torch.nn.Module):
    """A last attention block that computes its first token only, with the same values as the full block."""

    def __init__(self, block: ResidualAttentionBlock) -> None:
        super().__init__()
        self.block = block

    def forward(self, states: torch.Tensor, attn_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return the first token's state (n, 1, width) from the states (n, tokens, width)."""
        block = self.block
        normalized = block.ln_1(states)
        first = states[:, :1] + block.ls_1(block.attention(normalized[:, :1], normalized, normalized, attn_mask))
        return first + block.ls_2(block.mlp(block.ln_2(first)))  # type: ignore[no-any-return]


def speed_up(model: Any) -> None:
    """Change the image tower of a model in place so that it computes the same vectors in less time.

    A transformer of open_clip that pools its first token gets a shorter last block, which saves a fifteenth of the
    work. A tower of timm with parallel convolutions, such as MobileCLIP's, gets one convolution in place of several.
    Towers of other kinds stay as they are: SigLIP's and PE-Core's pool all tokens.
    """
    tower = getattr(model, "visual", None)
    if isinstance(tower, TimmModel):
        from timm.utils.model import reparameterize_model

        tower.trunk = reparameterize_model(tower.trunk, inplace=True)
    elif isinstance(tower, VisionTransformer) and tower.pool_type == "tok" and tower.attn_pool is None:
        blocks = tower.transformer.resblocks
        is_standard = type(blocks[-1]) is ResidualAttentionBlock and tower.transformer.batch_first
        if is_standard and not tower.output_tokens:
            blocks[-1] = FirstTokenBlock(blocks[-1])
