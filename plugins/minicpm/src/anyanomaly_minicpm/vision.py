"""Image tower and resampler: views to the embeddings in the prompt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from transformers import Idefics2VisionConfig
from transformers.models.idefics2.modeling_idefics2 import Idefics2VisionTransformer

from anyanomaly_minicpm.images import View

if TYPE_CHECKING:
    from torch import Tensor

HEAD_WIDTH = 128  # approximate width of the resampler's heads


class TowerInput(NamedTuple):
    """A view as the tower's input: its patches in one row, then zeros up to ``length``."""

    view: View
    length: int  # patches that the tower attends to
    positions: Tensor  # (length,) indices in the tower's table of position embeddings


def row_inputs(views: Sequence[View], side: int, *, pad_to_longest: bool) -> list[TowerInput]:
    """Return the inputs of the tower of 2.5: the positions of patches run along one row, not by rows and columns.

    :param side: side of the tower's square table of position embeddings.
    :param pad_to_longest: pad each view to the longest one; the tower attends to the padding, as in the original.
    """
    n_patches = [view.rows * view.columns for view in views]
    lengths = [max(n_patches)] * len(views) if pad_to_longest else n_patches
    return [TowerInput(view, length, bucket_indices(length, side)) for view, length in zip(views, lengths, strict=True)]


def grid_inputs(views: Sequence[View], side: int) -> list[TowerInput]:
    """Return the inputs of the tower with the positions of patches by rows and columns.

    :param side: side of the tower's square table of position embeddings.
    """
    inputs = []
    for view in views:
        positions = bucket_indices(view.rows, side)[:, None] * side + bucket_indices(view.columns, side)
        inputs.append(TowerInput(view, view.rows * view.columns, positions.flatten()))
    return inputs


def bucket_indices(n_patches: int, n_buckets: int) -> Tensor:
    """Return for each of ``n_patches`` patches along a side which of ``n_buckets`` equal parts it starts in.

    Computed in float32 and in the original's steps, whatever the model's precision: other rounding would move patches
    at a boundary into another part.

    :returns: int64 (n_patches,), from 0 to ``n_buckets - 1``.
    """
    boundaries = torch.arange(1 / n_buckets, 1.0, 1 / n_buckets)
    starts = torch.arange(0, 1 - 1e-6, (1 / torch.tensor(n_patches)).item())
    return torch.bucketize(starts, boundaries, right=True)


class Attention(nn.Module):
    """Multi-head attention in the original's order of operations; torch's own module rounds differently."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)
        self._head_width = width // (width // HEAD_WIDTH)

    def forward(self, inputs: Sequence[Tensor], key_padding_mask: Tensor) -> Tensor:
        """Return the attention output (n, batch, width).

        :param inputs: queries (n, batch, width), keys and values (m, batch, width).
        :param key_padding_mask: bool (batch, m), True at padding, which no query attends to.
        """
        projections = zip(inputs, self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3), strict=True)
        queries, keys, values = (self._split_heads(nn.functional.linear(*args)) for args in projections)
        bias = torch.zeros_like(key_padding_mask, dtype=queries.dtype).masked_fill(key_padding_mask, float("-inf"))
        bias = bias[:, None].repeat_interleave(len(queries) // len(key_padding_mask), dim=0)
        weights = torch.baddbmm(bias, queries / math.sqrt(self._head_width), keys.transpose(1, 2)).softmax(dim=-1)
        attended = torch.bmm(weights, values).transpose(0, 1)
        out: Tensor = self.out_proj(attended.reshape(inputs[0].shape))
        return out

    def _split_heads(self, states: Tensor) -> Tensor:
        """Return states (n, batch, heads * head width) as (batch * heads, n, head width)."""
        return states.reshape(len(states), -1, self._head_width).transpose(0, 1)


class Resampler(nn.Module):
    """Cross-attention of learned queries to the patches of a view; its outputs are the view's embeddings."""

    def __init__(self, n_queries: int, width: int, hidden: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(n_queries, hidden))
        self.kv_proj = nn.Linear(width, hidden, bias=False) if width != hidden else nn.Identity()
        self.attn = Attention(hidden)
        self.ln_q, self.ln_kv, self.ln_post = (nn.LayerNorm(hidden, eps=1e-6) for _ in range(3))
        self.proj = nn.Parameter(torch.empty(hidden, hidden))

    def forward(self, patches: Tensor, views: Sequence[View]) -> Tensor:
        """Return the embeddings (views, queries, hidden) of patch features (views, longest, width)."""
        values = self.ln_kv(self.kv_proj(patches))
        positions = torch.zeros(values.shape)
        key_padding_mask = torch.ones(values.shape[:2], dtype=torch.bool)
        for index, view in enumerate(views):
            n_patches = view.rows * view.columns
            embedding = sincos_position_embedding(view.rows, view.columns, values.shape[-1])
            positions[index, :n_patches] = torch.from_numpy(embedding)
            key_padding_mask[index, :n_patches] = False
        values = values.transpose(0, 1)
        keys = values + positions.to(values.device, values.dtype).transpose(0, 1)
        queries = self.ln_q(self.query)[:, None].repeat(1, len(views), 1)
        attended = self.attn((queries, keys, values), key_padding_mask.to(values.device))
        embeddings: Tensor = self.ln_post(attended.transpose(0, 1)) @ self.proj
        return embeddings


def sincos_position_embedding(rows: int, columns: int, width: int) -> NDArray[np.float32]:
    """Return the sin-cos position embedding (rows * columns, width): sine and cosine of column, then of row."""
    frequencies = 1.0 / 10000 ** (np.arange(width // 4, dtype=np.float32) / np.float32(width / 4))
    row, column = np.meshgrid(np.arange(rows, dtype=np.float32), np.arange(columns, dtype=np.float32), indexing="ij")
    angles = [axis.reshape(-1, 1) * frequencies for axis in (column, row)]
    parts = [function(axis_angles) for axis_angles in angles for function in (np.sin, np.cos)]
    embedding: NDArray[np.float32] = np.concatenate(parts, axis=-1).astype(np.float32)
    return embedding


class Vision(nn.Module):
    """The image half of MiniCPM-V; its modules have the checkpoint's names."""

    def __init__(self, config: Idefics2VisionConfig, n_queries: int, hidden: int) -> None:
        super().__init__()
        self.vpm = Idefics2VisionTransformer(config)
        self.resampler = Resampler(n_queries, config.hidden_size, hidden)

    def forward(self, inputs: Sequence[TowerInput]) -> Tensor:
        """Return the embeddings (views, queries, hidden) of views."""
        views = [tower_input.view for tower_input in inputs]
        embeddings: Tensor = self.resampler(self.encode_patches(inputs), views)
        return embeddings

    def encode_patches(self, inputs: Sequence[TowerInput]) -> Tensor:
        """Return the tower's patch features (views, longest, width)."""
        table = self.vpm.embeddings
        weight = table.patch_embedding.weight
        side = int(table.patch_size)
        lengths = torch.tensor([tower_input.length for tower_input in inputs])
        pixels = torch.zeros(len(inputs), 3, side, side * int(lengths.max()))
        for row, tower_input in zip(pixels, inputs, strict=True):
            row[..., : tower_input.view.pixels.shape[-1]] = torch.from_numpy(tower_input.view.pixels)
        positions = pad_sequence([tower_input.positions for tower_input in inputs], batch_first=True).to(weight.device)
        states = table.patch_embedding(pixels.to(weight.device, weight.dtype)).flatten(2).transpose(1, 2)
        states = states + table.position_embedding(positions)
        key_padding_mask = (torch.arange(states.shape[1]) >= lengths[:, None]).to(weight.device)
        bias = None
        if bool(key_padding_mask.any()):
            bias = torch.zeros_like(key_padding_mask, dtype=weight.dtype)
            bias = bias.masked_fill(key_padding_mask, torch.finfo(weight.dtype).min)[:, None, None]
        out: Tensor = self.vpm.post_layernorm(self.vpm.encoder(states, bias).last_hidden_state)
        return out
