"""Dense windows of towers that pool a class token: a class token per window, in every block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import timm.models.vision_transformer as timm_vit
import torch
from open_clip.timm_model import TimmModel
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from timm.layers.attention import Attention

from anyanomaly.types import Box, FloatArray
from anyanomaly_openclip.coverage import window_weights
from anyanomaly_openclip.images import FirstTokenBlock

Heads = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Queries, keys and values, each (n, heads, tokens, head width)."""


class Block(Protocol):
    """A transformer block in two halves, so that tokens of several sequences can share an attention."""

    def project(self, states: torch.Tensor) -> Heads:
        """Return queries, keys and values of states (n, tokens, width)."""

    def finish(self, states: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """Return the block's output from its input states and the attention's result (n, heads, tokens, head width)."""


class ClassWindows:
    """Class tokens that see the patches of one window only, for towers whose first token becomes the vector.

    The tiles go through the blocks as complete images. Beside them, in every block, the class token of each window
    attends to itself and to the patch tokens of the window, in whichever tiles they are; no patch attends to it. A
    window that is one tile therefore has the vector of the tile, and a window of parts of tiles is pooled as WinCLIP's
    (CVPR 2023) masks and MaskCLIP's (ICML 2023) mask class tokens do. A partly covered patch has the logarithm of its
    weight as attention bias.
    """

    def __init__(self, tower: VisionTransformer | TimmModel, blocks: Sequence[Block], grid: tuple[int, int]) -> None:
        self._tower, self._blocks, self.grid = tower, blocks, grid

    def describe(self, boxes: Sequence[Box], size: tuple[int, int], n_tiles: int) -> FloatArray:
        """Return the weights of the patches."""
        return window_weights(boxes, size, n_tiles, self.grid)

    def encode(self, inputs: torch.Tensor, weights: torch.Tensor, n_tiles: int) -> torch.Tensor:
        """Return vectors (n_frames, n_windows, dim) of tiles (n_frames * n_tiles**2, 3, height, width)."""
        states = self._embed(inputs)
        n_frames, n_windows = len(inputs) // n_tiles**2, len(weights)
        windows = states[:: n_tiles**2, :1].expand(-1, n_windows, -1)  # the class token is the same for every input
        own = torch.full((n_windows, n_windows), -torch.inf, device=weights.device).fill_diagonal_(0)
        bias = torch.cat([weights.log(), own], dim=1).to(states.dtype)
        for number, block in enumerate(self._blocks):
            queries, keys, values = block.project(states)
            window_queries, window_keys, window_values = block.project(windows)
            attended = torch.nn.functional.scaled_dot_product_attention(
                window_queries,
                torch.cat([_patches(keys, n_frames), window_keys], dim=2),
                torch.cat([_patches(values, n_frames), window_values], dim=2),
                attn_mask=bias,
            )
            windows = block.finish(windows, attended)
            if number < len(self._blocks) - 1:
                attended = torch.nn.functional.scaled_dot_product_attention(queries, keys, values)
                states = block.finish(states, attended)
        return self._pool(windows)

    def _embed(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the input of the first block (n, 1 + patches, width)."""
        if isinstance(self._tower, VisionTransformer):
            return self._tower._embeds(inputs)  # type: ignore[no-any-return]
        trunk = self._tower.trunk
        return trunk.norm_pre(trunk._pos_embed(trunk.patch_embed(inputs)))  # type: ignore[no-any-return]

    def _pool(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the vectors (..., dim) of class tokens (..., width) after the last block."""
        tower = self._tower
        if isinstance(tower, VisionTransformer):
            pooled = tower.ln_post(tokens)
            return pooled if tower.proj is None else pooled @ tower.proj  # type: ignore[no-any-return]
        trunk = tower.trunk
        return tower.head(trunk.head(trunk.fc_norm(trunk.norm(tokens))))  # type: ignore[no-any-return]


class ClipBlock:
    """A standard block of open_clip."""

    def __init__(self, block: ResidualAttentionBlock) -> None:
        self._block = block

    def project(self, states: torch.Tensor) -> Heads:
        """Return queries, keys and values."""
        attention = self._block.attn
        joined = torch.nn.functional.linear(self._block.ln_1(states), attention.in_proj_weight, attention.in_proj_bias)
        return _split_heads(joined, attention.num_heads)

    def finish(self, states: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        block = self._block
        states = states + block.ls_1(block.attn.out_proj(_join_heads(attended)))
        return states + block.ls_2(block.mlp(block.ln_2(states)))  # type: ignore[no-any-return]


class TimmBlock:
    """A standard block of timm."""

    def __init__(self, block: timm_vit.Block) -> None:
        self._block: Any = block  # torch types the parts of modules as tensors or modules

    def project(self, states: torch.Tensor) -> Heads:
        """Return queries, keys and values."""
        attention = self._block.attn
        queries, keys, values = _split_heads(attention.qkv(self._block.norm1(states)), attention.num_heads)
        return attention.q_norm(queries), attention.k_norm(keys), values

    def finish(self, states: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        block = self._block
        states = states + block.ls1(block.attn.proj(block.attn.norm(_join_heads(attended))))
        return states + block.ls2(block.mlp(block.norm2(states)))  # type: ignore[no-any-return]


def class_windows(tower: Any) -> ClassWindows | None:
    """Return dense windows for a tower that pools a class token over standard blocks; None: it is no such tower."""
    if isinstance(tower, VisionTransformer):
        blocks = [block.block if isinstance(block, FirstTokenBlock) else block for block in tower.transformer.resblocks]
        is_standard = all(
            type(block) is ResidualAttentionBlock
            and block.attn.in_proj_weight is not None
            and block.attn.bias_k is None
            for block in blocks
        )
        if is_standard and tower.pool_type == "tok" and tower.attn_pool is None:
            return ClassWindows(tower, [ClipBlock(block) for block in blocks], tower.grid_size)
    if isinstance(tower, TimmModel) and type(tower.trunk) is timm_vit.VisionTransformer:
        trunk = tower.trunk
        is_standard = all(type(block) is timm_vit.Block and type(block.attn) is Attention for block in trunk.blocks)
        if is_standard and trunk.global_pool == "token" and trunk.attn_pool is None and trunk.num_prefix_tokens == 1:
            return ClassWindows(tower, [TimmBlock(block) for block in trunk.blocks], trunk.patch_embed.grid_size)
    return None


def _patches(tokens: torch.Tensor, n_frames: int) -> torch.Tensor:
    """Return the keys or values of a frame's patches (n_frames, heads, patches, width), tile by tile."""
    n_inputs, n_heads, n_tokens, width = tokens.shape
    by_frame = tokens[:, :, 1:].reshape(n_frames, n_inputs // n_frames, n_heads, n_tokens - 1, width)
    return by_frame.transpose(1, 2).flatten(2, 3)


def _split_heads(joined: torch.Tensor, n_heads: int) -> Heads:
    """Return queries, keys and values of their joined projections (n, tokens, 3 * width)."""
    n_inputs, n_tokens, width = joined.shape
    queries, keys, values = joined.view(n_inputs, n_tokens, 3, n_heads, width // 3 // n_heads).permute(2, 0, 3, 1, 4)
    return queries, keys, values


def _join_heads(attended: torch.Tensor) -> torch.Tensor:
    return attended.transpose(1, 2).flatten(2)
