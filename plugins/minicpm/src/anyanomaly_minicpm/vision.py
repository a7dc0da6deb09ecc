"""Image tower and resampler: views to the embeddings that stand in the prompt."""

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

HEAD = 128  # width of a head of the resampler, about


class Strip(NamedTuple):
    """A view as the tower reads it: one row of patches, zeros behind its own up to ``length``."""

    view: View
    length: int
    positions: Tensor  # (length,) rows of the tower's table of positions


def rows_of(views: Sequence[View], side: int, *, together: bool) -> list[Strip]:
    """Return views as the tower of 2.5 reads them: not by rows and columns, but along one row.

    :param side: positions along a side of the tower's table.
    :param together: every view as long as the longest, with what fills it up attended to, as in the original.
    """
    own = [view.rows * view.columns for view in views]
    lengths = [max(own)] * len(own) if together else own
    return [Strip(view, length, cells(length, side)) for view, length in zip(views, lengths, strict=True)]


def grids_of(views: Sequence[View], side: int) -> list[Strip]:
    """Return views with the positions of their patches by rows and columns."""
    return [
        Strip(
            view,
            view.rows * view.columns,
            (cells(view.rows, side)[:, None] * side + cells(view.columns, side)).flatten(),
        )
        for view in views
    ]


def cells(n_patches: int, n_cells: int) -> Tensor:
    """Return which of ``n_cells`` equal parts of a side each of ``n_patches`` patches starts in.

    In float32 and with the original's steps whatever the model's precision: else patches at an edge fall elsewhere.
    """
    edges = torch.arange(1 / n_cells, 1.0, 1 / n_cells)
    places = torch.arange(0, 1 - 1e-6, (1 / torch.tensor(n_patches)).item())
    return torch.bucketize(places, edges, right=True)


class Attention(nn.Module):
    """Attention of several heads, in the order of steps of the original: torch's own rounds otherwise."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)
        self._head = width // (width // HEAD)

    def forward(self, inputs: Sequence[Tensor], hidden: Tensor) -> Tensor:
        """Turn queries (n, batch, width), keys and values (m, batch, width) into (n, batch, width).

        :param hidden: (batch, m), true where no query may look.
        """
        parts = zip(inputs, self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3), strict=True)
        queries, keys, values = (self._heads(nn.functional.linear(*part)) for part in parts)
        shut = torch.zeros_like(hidden, dtype=queries.dtype).masked_fill(hidden, float("-inf"))
        shut = shut[:, None].repeat_interleave(len(queries) // len(hidden), dim=0)
        weights = torch.baddbmm(shut, queries / math.sqrt(self._head), keys.transpose(1, 2)).softmax(dim=-1)
        seen = torch.bmm(weights, values).transpose(0, 1)
        out: Tensor = self.out_proj(seen.reshape(inputs[0].shape))
        return out

    def _heads(self, states: Tensor) -> Tensor:
        """Turn (n, batch, heads * width) into (batch * heads, n, width)."""
        return states.reshape(len(states), -1, self._head).transpose(0, 1)


class Resampler(nn.Module):
    """Learned queries that look at the patches of a view, and become its embeddings."""

    def __init__(self, n_queries: int, width: int, hidden: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(n_queries, hidden))
        self.kv_proj = nn.Linear(width, hidden, bias=False) if width != hidden else nn.Identity()
        self.attn = Attention(hidden)
        self.ln_q, self.ln_kv, self.ln_post = (nn.LayerNorm(hidden, eps=1e-6) for _ in range(3))
        self.proj = nn.Parameter(torch.empty(hidden, hidden))

    def forward(self, patches: Tensor, views: Sequence[View]) -> Tensor:
        """Turn patches (views, longest, width) into embeddings (views, queries, hidden)."""
        values = self.ln_kv(self.kv_proj(patches))
        places = torch.zeros(values.shape)
        hidden = torch.ones(values.shape[:2], dtype=torch.bool)
        for row, own, view in zip(places, hidden, views, strict=True):
            n_patches = view.rows * view.columns
            row[:n_patches] = torch.from_numpy(waves_of(view.rows, view.columns, values.shape[-1]))
            own[:n_patches] = False
        values = values.transpose(0, 1)
        keys = values + places.to(values.device, values.dtype).transpose(0, 1)
        queries = self.ln_q(self.query)[:, None].repeat(1, len(views), 1)
        seen = self.attn((queries, keys, values), hidden.to(values.device))
        embeddings: Tensor = self.ln_post(seen.transpose(0, 1)) @ self.proj
        return embeddings


def waves_of(rows: int, columns: int, width: int) -> NDArray[np.float32]:
    """Return the marks of places (rows * columns, width): sines and cosines of the column, then of the row."""
    lengths = 1.0 / 10000 ** (np.arange(width // 4, dtype=np.float32) / np.float32(width / 4))
    row, column = np.meshgrid(np.arange(rows, dtype=np.float32), np.arange(columns, dtype=np.float32), indexing="ij")
    parts = [wave(place.reshape(-1, 1) * lengths) for place in (column, row) for wave in (np.sin, np.cos)]
    waves: NDArray[np.float32] = np.concatenate(parts, axis=-1).astype(np.float32)
    return waves


class Vision(nn.Module):
    """The image half of MiniCPM-V, its parts under the checkpoint's names."""

    def __init__(self, config: Idefics2VisionConfig, n_queries: int, hidden: int) -> None:
        super().__init__()
        self.vpm = Idefics2VisionTransformer(config)
        self.resampler = Resampler(n_queries, config.hidden_size, hidden)

    def forward(self, strips: Sequence[Strip]) -> Tensor:
        """Return embeddings (views, queries, hidden)."""
        embeddings: Tensor = self.resampler(self.patches(strips), [strip.view for strip in strips])
        return embeddings

    def patches(self, strips: Sequence[Strip]) -> Tensor:
        """Return what the tower makes of each patch (views, longest, width)."""
        table = self.vpm.embeddings
        weight = table.patch_embedding.weight
        side = int(table.patch_size)
        lengths = torch.tensor([strip.length for strip in strips])
        pixels = torch.zeros(len(strips), 3, side, side * int(lengths.max()))
        for row, strip in zip(pixels, strips, strict=True):
            row[..., : strip.view.pixels.shape[-1]] = torch.from_numpy(strip.view.pixels)
        positions = pad_sequence([strip.positions for strip in strips], batch_first=True).to(weight.device)
        states = table.patch_embedding(pixels.to(weight.device, weight.dtype)).flatten(2).transpose(1, 2)
        states = states + table.position_embedding(positions)
        filled = (torch.arange(states.shape[1]) >= lengths[:, None]).to(weight.device)
        mask = None
        if bool(filled.any()):
            mask = torch.zeros_like(filled, dtype=weight.dtype).masked_fill(filled, torch.finfo(weight.dtype).min)
            mask = mask[:, None, None]
        out: Tensor = self.vpm.post_layernorm(self.vpm.encoder(states, mask).last_hidden_state)
        return out
