"""Image tower and resampler: views to the embeddings that stand in the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from transformers import Idefics2VisionConfig
from transformers.models.idefics2.modeling_idefics2 import Idefics2VisionTransformer

from anyanomaly_minicpm.views import View

if TYPE_CHECKING:
    from torch import Tensor

HEAD = 128  # width of a head of the resampler


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


class Resampler(nn.Module):
    """Learned queries that look at the patches of a view, and become its embeddings."""

    def __init__(self, n_queries: int, width: int, hidden: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(n_queries, hidden))
        self.kv_proj = nn.Linear(width, hidden, bias=False) if width != hidden else nn.Identity()
        self.attn = nn.MultiheadAttention(hidden, hidden // HEAD)
        self.ln_q, self.ln_kv, self.ln_post = (nn.LayerNorm(hidden, eps=1e-6) for _ in range(3))
        self.proj = nn.Parameter(torch.empty(hidden, hidden))

    def forward(self, patches: Tensor, views: Sequence[View]) -> Tensor:
        """Turn patches (views, longest, width) into embeddings (views, queries, hidden)."""
        values = self.ln_kv(self.kv_proj(patches)).transpose(0, 1)
        waves = [torch.from_numpy(waves_of(view.rows, view.columns, values.shape[-1])) for view in views]
        lengths = torch.tensor([len(each) for each in waves])
        hidden = (torch.arange(len(values)) >= lengths[:, None]).to(values.device)
        places = nn.functional.pad(pad_sequence(waves), (0, 0, 0, 0, 0, len(values) - int(lengths.max())))
        queries = self.ln_q(self.query)[:, None].repeat(1, len(views), 1)
        keys = values + places.to(values.device, values.dtype)
        seen = self.attn(queries, keys, values, key_padding_mask=hidden)[0]
        embeddings: Tensor = self.ln_post(seen.transpose(0, 1)) @ self.proj
        return embeddings


def waves_of(rows: int, columns: int, width: int) -> NDArray[np.float32]:
    """Return the marks of places (rows * columns, width): sines and cosines of the column, then of the row."""
    lengths = 1.0 / 10000 ** (np.arange(width // 4, dtype=np.float32) / np.float32(width / 4))
    row, column = np.meshgrid(np.arange(rows, dtype=np.float32), np.arange(columns, dtype=np.float32), indexing="ij")
    parts = [wave(place.reshape(-1, 1) * lengths) for place in (column, row) for wave in (np.sin, np.cos)]
    return np.concatenate(parts, axis=-1).astype(np.float32)


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
