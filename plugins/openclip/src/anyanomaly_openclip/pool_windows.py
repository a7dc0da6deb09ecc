"""Dense windows of towers that pool patch tokens or a feature map: the pooling runs once per window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import timm.models.vision_transformer as timm_vit
import torch
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from timm.layers.attention_pool import AttentionPoolLatent
from timm.models.eva import Eva

from anyanomaly.types import Box, FloatArray
from anyanomaly_openclip.coverage import window_weights

Cells = Callable[[torch.Tensor], torch.Tensor]
"""From inputs (n, 3, height, width) to tokens (n, prefix tokens + cells, width)."""
Pool = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From tokens (n_frames, tokens, width) and weights (n_windows, tokens) to vectors (n_frames, n_windows, dim)."""


class PoolWindows:
    """Pools the tokens of the tiles of a frame once per window, weighted by how far the window covers them.

    :param n_prefix: tokens in front of the cells that are pooled too. They stand for their tile: their weight is the
        mean weight of the tile's cells.
    """

    def __init__(self, cells: Cells, pool: Pool, grid: tuple[int, int], n_prefix: int = 0) -> None:
        self._cells, self._pool, self.grid, self._n_prefix = cells, pool, grid, n_prefix

    def describe(self, boxes: Sequence[Box], size: tuple[int, int], n_tiles: int) -> FloatArray:
        """Return the weights of the cells."""
        return window_weights(boxes, size, n_tiles, self.grid)

    def encode(self, inputs: torch.Tensor, weights: torch.Tensor, n_tiles: int) -> torch.Tensor:
        """Return vectors (n_frames, n_windows, dim) of tiles (n_frames * n_tiles**2, 3, height, width)."""
        tokens = self._cells(inputs)
        by_tile = weights.view(len(weights), n_tiles**2, -1)
        prefix = by_tile.mean(dim=2, keepdim=True).expand(-1, -1, self._n_prefix)
        token_weights = torch.cat([prefix, by_tile], dim=2).flatten(1).to(tokens.dtype)
        return self._pool(tokens.reshape(-1, token_weights.shape[1], tokens.shape[-1]), token_weights)


def pool_windows(tower: Any) -> PoolWindows | None:
    """Return dense windows for a tower that pools its patch tokens or its feature map; None: it is no such tower."""
    if isinstance(tower, VisionTransformer) and tower.pool_type == "avg" and tower.attn_pool is None:
        return _average_windows(tower)
    if isinstance(tower, TimmModel) and "pool" not in dict(tower.head.named_children()):
        if isinstance(tower.trunk, timm_vit.VisionTransformer | Eva):
            return _trunk_windows(tower)
        return _map_windows(tower)
    return None


def _average_windows(tower: VisionTransformer) -> PoolWindows:
    def cells(inputs: torch.Tensor) -> torch.Tensor:
        tokens = tower.transformer(tower._embeds(inputs))[:, 1:]
        return tokens if tower.final_ln_after_pool else tower.ln_post(tokens)  # type: ignore[no-any-return]

    def average(tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        pooled = _weighted_mean(tokens, weights)
        pooled = tower.ln_post(pooled) if tower.final_ln_after_pool else pooled
        return pooled if tower.proj is None else pooled @ tower.proj

    return PoolWindows(cells, average, tower.grid_size)


def _trunk_windows(tower: TimmModel) -> PoolWindows | None:
    """Pool with the latent query of SigLIP and Perception Encoder, or with the mean of the patch tokens."""
    trunk = tower.trunk
    pool, n_prefix = trunk.attn_pool, trunk.num_prefix_tokens
    is_latent = type(pool) is AttentionPoolLatent and pool.pos_embed is None and pool.latent_len == 1
    if not is_latent and not (pool is None and trunk.global_pool == "avg"):
        return None
    with_prefix = n_prefix if is_latent and getattr(trunk, "pool_include_prefix", True) else 0

    def cells(inputs: torch.Tensor) -> torch.Tensor:
        return trunk.forward_features(inputs)[:, n_prefix - with_prefix :]  # type: ignore[no-any-return]

    def pool_tokens(tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        pooled = _attend_latent(pool, tokens, weights) if is_latent else _weighted_mean(tokens, weights)
        return tower.head(trunk.head(trunk.fc_norm(pooled)))  # type: ignore[no-any-return]

    return PoolWindows(cells, pool_tokens, trunk.patch_embed.grid_size, with_prefix)


def _map_windows(tower: TimmModel) -> PoolWindows | None:
    """Average the feature map of convolutions, such as MobileCLIP's: the head gets each window's mean as a map."""
    trunk = tower.trunk
    height, width = tower.image_size
    parameter = next(trunk.parameters())
    with torch.inference_mode():
        features = trunk.forward_features(parameter.new_zeros(1, 3, height, width))
    if features.ndim != 4 or features.shape[1] != trunk.num_features:
        return None

    def cells(inputs: torch.Tensor) -> torch.Tensor:
        return trunk.forward_features(inputs).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]

    def average(tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        means = _weighted_mean(tokens, weights)
        vectors = tower.head(trunk.forward_head(means.flatten(0, 1)[..., None, None]))
        return vectors.unflatten(0, means.shape[:2])  # type: ignore[no-any-return]

    return PoolWindows(cells, average, tuple(features.shape[2:]))


def _attend_latent(pool: AttentionPoolLatent, tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return what the latent query gets from each window (n_frames, n_windows, width)."""
    n_frames, n_windows = len(tokens), len(weights)
    queries = _heads(pool.q(pool.latent.to(tokens.dtype)), pool.num_heads)
    keys, values = (_heads(part, pool.num_heads) for part in pool.kv(tokens).chunk(2, dim=-1))
    attended = torch.nn.functional.scaled_dot_product_attention(
        pool.q_norm(queries).expand(n_frames, -1, n_windows, -1), pool.k_norm(keys), values, attn_mask=weights.log()
    )
    pooled = pool.proj(attended.transpose(1, 2).flatten(2))
    return pooled if pool.mlp is None else pooled + pool.mlp(pool.norm(pooled))  # type: ignore[no-any-return]


def _weighted_mean(tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the mean token of each window (n_frames, n_windows, width)."""
    return (weights / weights.sum(dim=1, keepdim=True)) @ tokens


def _heads(tokens: torch.Tensor, n_heads: int) -> torch.Tensor:
    """Return tokens (n, tokens, width) as (n, heads, tokens, width / heads)."""
    return tokens.reshape(*tokens.shape[:2], n_heads, -1).transpose(1, 2)
