"""Two more blocks for the vision tower, which compare the tiles of a grid.

The tokens of a tower of four blocks held no motion: a probe on them explained nothing of how far people move from tile
to tile; a probe that also had the tokens of the same place in the other tiles explained a quarter. So each head of the
new blocks starts with its attention on the same place of one neighbouring tile. Their output is zero at first, so the
larger tower starts with the same output.
"""

from __future__ import annotations

import math
from typing import Any

import torch

NEW_BLOCKS = (2, 4)
"""Numbers of the new blocks among the six."""
FROZEN_BLOCKS = (0, 1)
"""Numbers of the blocks that stay fixed: the new blocks compare their output."""
TILE = 6  # patches from a place to the same place in the next tile
FREQUENCY_WEIGHTS = (1.0, 1.0, 0.7, 0.4)  # of the bias on each rotary frequency, the highest first
STRENGTH = 6.0


@torch.no_grad()
def attend_to_next_tile(block: Any) -> None:
    """Initialise the four heads of ``block`` to attend one tile to the right, left, below and above.

    Queries and keys get the same bias, the keys' rotated back by the distance in patches: with the rotary position
    embedding, they agree most where the key is that many patches away.
    """
    attention, wide = block.attn, block.attn.qkv.in_features
    n_heads, size = attention.num_heads, wide // attention.num_heads
    weight = attention.qkv.weight.view(3, n_heads, size, wide)
    bias = attention.qkv.bias.view(3, n_heads, size)
    n = size // 4  # frequencies of the rows, and of the columns
    frequencies = 10_000.0 ** (-torch.arange(n) / n)
    strengths = torch.zeros(n)
    strengths[: len(FREQUENCY_WEIGHTS)] = torch.tensor(FREQUENCY_WEIGHTS)
    strengths = (strengths * math.sqrt(size) * STRENGTH).sqrt().repeat(2)
    for head, (down, across) in enumerate(((0, TILE), (0, -TILE), (TILE, 0), (-TILE, 0))):
        angle = torch.cat((frequencies * down, frequencies * across))
        weight[:2, head] *= 0.3
        bias[:, head] = 0.0
        bias[0, head, : 2 * n] = strengths
        bias[1, head] = torch.cat((strengths * angle.cos(), -strengths * angle.sin()))
        torch.nn.init.orthogonal_(weight[2, head])
    for output in (attention.proj, block.mlp.down_proj):
        output.weight.zero_()
        output.bias.zero_()
    for inner in (block.mlp.gate_proj, block.mlp.up_proj):
        inner.weight.normal_(0, 0.06)


def insert_blocks(tower: Any, state: dict[str, torch.Tensor]) -> None:
    """Load the ``state`` of a tower without the new blocks into ``tower``, which has them, and initialise them."""
    old_numbers = [number for number in range(len(tower.blocks)) if number not in NEW_BLOCKS]
    renumbered = tower.state_dict()
    for name, value in state.items():
        parts = name.split(".")
        if parts[0] == "blocks":
            parts[1] = str(old_numbers[int(parts[1])])
        renumbered[".".join(parts)] = value
    tower.load_state_dict(renumbered)
    for number in NEW_BLOCKS:
        attend_to_next_tile(tower.blocks[number])


def parameter_groups(tower: Any, rate: float) -> list[tuple[list[tuple[str, Any]], float]]:
    """Freeze the patch embedding and the early blocks; return the other parameters with their learning rates.

    New blocks learn at ``rate``, old ones at half of it.
    """
    tower.patch_embed.requires_grad_(False)
    for number in FROZEN_BLOCKS:
        tower.blocks[number].requires_grad_(False)
    prefixes = tuple(f"blocks.{number}." for number in NEW_BLOCKS)
    trainable = [(name, weight) for name, weight in tower.named_parameters() if weight.requires_grad]
    new = [pair for pair in trainable if pair[0].startswith(prefixes)]
    return [(new, rate), ([pair for pair in trainable if not pair[0].startswith(prefixes)], rate / 2)]
