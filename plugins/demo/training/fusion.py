"""Two more blocks for the tower, which compare the tiles of a grid.

The tokens of a tower of four blocks knew nothing of motion: a probe on them explained nothing of how far people move
from tile to tile, while one that also had the tokens of the same place in the other tiles explained a quarter. So each
head of the new blocks begins on the same place of the tile to one side. They write nothing at first: a tower that has
them sees what it saw.
"""

from __future__ import annotations

import math
from typing import Any

import torch

FUSION = (2, 4)
"""Which of the six blocks are the new ones."""
EARLY = (0, 1)
"""The blocks before them stay as they are: what they say of each tile by itself is what is compared."""
TILE = 6  # patches from a place to the same place in the next tile
SHARE = (1.0, 1.0, 0.7, 0.4)  # of the bias that each rotary frequency has, the highest first
STRENGTH = 6.0


@torch.no_grad()
def look_beside(block: Any) -> None:
    """Let the four heads of ``block`` look one tile to the right, left, below and above.

    Queries and keys have one bias, the keys' turned back by some patches: after the rotary positions they agree most
    where the key is that many patches away.
    """
    attention, wide = block.attn, block.attn.qkv.in_features
    n_heads, size = attention.num_heads, wide // attention.num_heads
    weight = attention.qkv.weight.view(3, n_heads, size, wide)
    bias = attention.qkv.bias.view(3, n_heads, size)
    n = size // 4  # frequencies of the rows, and of the columns
    turns = 10_000.0 ** (-torch.arange(n) / n)
    size_of = torch.zeros(n)
    size_of[: len(SHARE)] = torch.tensor(SHARE)
    size_of = (size_of * math.sqrt(size) * STRENGTH).sqrt().repeat(2)
    for head, (down, across) in enumerate(((0, TILE), (0, -TILE), (TILE, 0), (-TILE, 0))):
        angle = torch.cat((turns * down, turns * across))
        weight[:2, head] *= 0.3
        bias[:, head] = 0.0
        bias[0, head, : 2 * n] = size_of
        bias[1, head] = torch.cat((size_of * angle.cos(), -size_of * angle.sin()))
        torch.nn.init.orthogonal_(weight[2, head])
    for silent in (attention.proj, block.mlp.down_proj):
        silent.weight.zero_()
        silent.bias.zero_()
    for inner in (block.mlp.gate_proj, block.mlp.up_proj):
        inner.weight.normal_(0, 0.06)


def grow(tower: Any, state: dict[str, torch.Tensor]) -> None:
    """Load the ``state`` of a tower without the new blocks into ``tower``, which has them."""
    old = [k for k in range(len(tower.blocks)) if k not in FUSION]
    moved = tower.state_dict()
    for name, value in state.items():
        parts = name.split(".")
        if parts[0] == "blocks":
            parts[1] = str(old[int(parts[1])])
        moved[".".join(parts)] = value
    tower.load_state_dict(moved)
    for k in FUSION:
        look_beside(tower.blocks[k])


def groups(tower: Any, rate: float) -> list[tuple[list[tuple[str, Any]], float]]:
    """Hold the patches and the early blocks; return the rest with its rates: new blocks, and at half of it old ones."""
    tower.patch_embed.requires_grad_(False)
    for k in EARLY:
        tower.blocks[k].requires_grad_(False)
    new = tuple(f"blocks.{k}." for k in FUSION)
    free = [(name, p) for name, p in tower.named_parameters() if p.requires_grad]
    fresh = [pair for pair in free if pair[0].startswith(new)]
    return [(fresh, rate), ([pair for pair in free if not pair[0].startswith(new)], rate / 2)]
