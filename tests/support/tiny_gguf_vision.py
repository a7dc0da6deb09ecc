"""Vision towers and projectors in llama.cpp's terms: hyper-parameters, and tensors in its layouts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from gguf import GGUFWriter

Weights = Mapping[str, np.ndarray]
Tensors = Iterator[tuple[str, np.ndarray]]


class VisionTower:
    """A vision tower and its projector; a subclass changes layouts too.

    :param projector: the projector's type in llama.cpp.
    :param blocks: start of the names of a block's tensors in transformers, up to the block's number.
    :param block: names of a block's tensors, from transformers to llama.cpp.
    :param others: names of all other tensors, from transformers to llama.cpp.
    """

    def __init__(self, projector: str, blocks: str, block: Mapping[str, str], others: Mapping[str, str]) -> None:
        self.projector, self.blocks, self.block, self.others = projector, blocks, block, others

    def describe(self, file: GGUFWriter, config: Any, images: Any) -> None:
        """Write the hyper-parameters of the tower, and how the image processor ``images`` prepares pixels."""
        vision = config.vision_config
        file.add_clip_has_vision_encoder(True)
        file.add_clip_projector_type(self.projector)
        file.add_vision_projection_dim(config.get_text_config().hidden_size)
        file.add_vision_image_size(self.image_size(config, images))
        file.add_vision_patch_size(_side(vision.patch_size))
        file.add_vision_embedding_length(vision.hidden_size)
        file.add_vision_feed_forward_length(vision.intermediate_size)
        file.add_vision_block_count(getattr(vision, "depth", 0) or vision.num_hidden_layers)
        file.add_vision_head_count(vision.num_attention_heads)
        epsilon = getattr(vision, "layer_norm_eps", 0) or getattr(vision, "rms_norm_eps", 0) or 1e-6
        file.add_vision_attention_layernorm_eps(epsilon)
        file.add_vision_image_mean(list(images.image_mean))
        file.add_vision_image_std(list(images.image_std))
        activation = getattr(vision, "hidden_act", "") or vision.hidden_activation
        (file.add_vision_use_silu if activation == "silu" else file.add_vision_use_gelu)(True)
        self.describe_more(file, config, images)

    def image_size(self, config: Any, images: Any) -> int:
        """Return the side of the square on which the tower's position embeddings lie, in pixels."""
        return _side(config.vision_config.image_size)

    def describe_more(self, file: GGUFWriter, config: Any, images: Any) -> None:
        """Write what only this tower has."""

    def tensors(self, weights: Weights, config: Any) -> Tensors:
        """Yield the tower's and the projector's tensors under llama.cpp's names."""
        for key, tensor in weights.items():
            name = key.removeprefix("model.")
            if not re.match("language_model|text_model|lm_head", name):
                yield from self.convert(name, tensor, config)

    def convert(self, name: str, tensor: np.ndarray, config: Any) -> Tensors:
        """Yield the tensor ``name`` under llama.cpp's name and in its layout."""
        yield self.rename(name), tensor

    def rename(self, name: str) -> str:
        """Return llama.cpp's name of a tensor.

        :raises ValueError: when it is unknown.
        """
        stem, _, kind = name.rpartition(".")
        if name in self.others:
            return self.others[name]
        if stem in self.others:
            return f"{self.others[stem]}.{kind}"
        if match := re.fullmatch(rf"{re.escape(self.blocks)}\.(\d+)\.(.+)", name):
            number, part = match.groups()
            if part in self.block:
                return f"v.blk.{number}.{self.block[part]}"
            stem, _, kind = part.rpartition(".")
            if stem in self.block:
                return f"v.blk.{number}.{self.block[stem]}.{kind}"
        raise ValueError(f"llama.cpp has no name for tensor {name!r}")


class QwenTower(VisionTower):
    """Qwen3-VL and Qwen3.5: one kernel per moment, position embeddings on a square, features for several layers."""

    def image_size(self, config: Any, images: Any) -> int:
        """Return the side of the square of position embeddings, in pixels."""
        vision = config.vision_config
        return int(round(vision.num_position_embeddings**0.5) * _side(vision.patch_size))

    def describe_more(self, file: GGUFWriter, config: Any, images: Any) -> None:
        """Write the limits of an image's area, and which blocks give features."""
        vision = config.vision_config
        _describe_area(file, images)
        file.add_vision_spatial_merge_size(vision.spatial_merge_size)
        indices = getattr(vision, "deepstack_visual_indexes", [])
        file.add_vision_is_deepstack_layers([block in indices for block in range(vision.depth)])

    def convert(self, name: str, tensor: np.ndarray, config: Any) -> Tensors:
        """Split the two moments' kernels; number the feature mergers by their blocks."""
        if name == "visual.patch_embed.proj.weight":  # (out, colour, time, row, column)
            yield "v.patch_embd.weight", tensor[:, :, 0]
            yield "v.patch_embd.weight.1", tensor[:, :, 1]
        elif match := re.fullmatch(r"visual\.deepstack_merger_list\.(\d+)\.(?:linear_)?(\w+)\.(\w+)", name):
            index, part, kind = match.groups()
            block = config.vision_config.deepstack_visual_indexes[int(index)]
            yield f"v.deepstack.{block}.{part}.{kind}", tensor
        else:
            yield self.rename(name), tensor


class GlmTower(QwenTower):
    """GLM-4.1V to 4.6V: Qwen's patches, a convolution that merges them, a gated projector."""

    def image_size(self, config: Any, images: Any) -> int:
        """Return the side of the square of position embeddings, in pixels."""
        return _side(config.vision_config.image_size)

    def describe_more(self, file: GGUFWriter, config: Any, images: Any) -> None:
        """Write the limits of an image's area; the image processor counts each image as two moments."""
        _describe_area(file, images, moments=2)
        file.add_vision_spatial_merge_size(config.vision_config.spatial_merge_size)


class TileTower(VisionTower):
    """Idefics3 and SmolVLM: an image is scaled to its longest side and cut into square tiles."""

    def describe_more(self, file: GGUFWriter, config: Any, images: Any) -> None:
        """Write the longest side of an image, in pixels."""
        file.add_vision_projector_scale_factor(config.scale_factor)
        file.add_vision_preproc_image_size(images.size["longest_edge"])


class InternVlTower(VisionTower):
    """InternVL: an image is cut into a grid of square tiles, at most as many as given."""

    def describe_more(self, file: GGUFWriter, config: Any, images: Any) -> None:
        """Write the number of tiles."""
        file.add_vision_projector_scale_factor(round(1 / config.downsample_ratio))
        file.add_vision_preproc_min_tiles(images.min_patches)
        file.add_vision_preproc_max_tiles(images.max_patches)

    def convert(self, name: str, tensor: np.ndarray, config: Any) -> Tensors:
        """Remove the batch axis of the learned embeddings."""
        yield (
            self.rename(name),
            tensor.reshape(tensor.shape[1:]) if "_token" in name or "position_emb" in name else tensor,
        )


class Lfm2Tower(VisionTower):
    """LFM2-VL: SigLIP 2 with patches of any aspect ratio; large images are cut into tiles."""

    def image_size(self, config: Any, images: Any) -> int:
        """Return the side of the square of position embeddings, in pixels."""
        vision = config.vision_config
        return int(round(vision.num_patches**0.5) * vision.patch_size)

    def describe_more(self, file: GGUFWriter, config: Any, images: Any) -> None:
        """Write the limits of image and tiles; llama.cpp knows the published ones by heart and ignores these."""
        file.add_vision_projector_scale_factor(config.downsample_factor)
        token_area = (images.encoder_patch_size * images.downsample_factor) ** 2
        file.add_vision_min_pixels(images.min_image_tokens * token_area)
        file.add_vision_max_pixels(images.max_image_tokens * token_area)
        file.add_vision_preproc_min_tiles(images.min_tiles)
        file.add_vision_preproc_max_tiles(images.max_tiles)
        file.add_uint32("clip.vision.preproc_tile_size", images.tile_size)

    def convert(self, name: str, tensor: np.ndarray, config: Any) -> Tensors:
        """Make a convolution of the patch embedding."""
        yield self.rename(name), _patch_kernel(tensor) if name.endswith("patch_embedding.weight") else tensor


class Gemma4Tower(VisionTower):
    """Gemma 4: positions of rows and columns in one table, pooled patches, linear layers with clipped values."""

    def image_size(self, config: Any, images: Any) -> int:
        """Return any size: images keep their own."""
        return 224

    def describe_more(self, file: GGUFWriter, config: Any, images: Any) -> None:
        """Write the pooling."""
        file.add_vision_projector_scale_factor(config.vision_config.pooling_kernel_size)
        tokens = images.max_soft_tokens * (images.pooling_kernel_size * images.patch_size) ** 2
        file.add_vision_max_pixels(tokens)

    def convert(self, name: str, tensor: np.ndarray, config: Any) -> Tensors:
        """Make a convolution of the patch embedding, and vectors of scalars."""
        name = name.replace(".linear.weight", ".weight")
        tensor = _patch_kernel(tensor) if name.endswith("input_proj.weight") else np.atleast_1d(tensor)
        yield self.rename(name), tensor


class MiniCpmTower(VisionTower):
    """MiniCPM-V 4.6: SigLIP with a merger between its blocks; images are cut into slices."""

    def image_size(self, config: Any, images: Any) -> int:
        """Return the side of a slice, in pixels."""
        return int(images.scale_resolution)

    def describe_more(self, file: GGUFWriter, config: Any, images: Any) -> None:
        """Write the factor of both mergers, and where the first one is."""
        file.add_vision_projector_scale_factor(2 if config.downsample_mode == "4x" else 4)
        file.add_vision_wa_layer_indexes([config.insert_layer_id])
        file.add_vision_preproc_max_tiles(images.max_slice_nums)


def _describe_area(file: GGUFWriter, images: Any, moments: int = 1) -> None:
    file.add_vision_min_pixels(images.size["shortest_edge"] // moments)
    file.add_vision_max_pixels(images.size["longest_edge"] // moments)


def _side(size: Any) -> int:
    return int(size[0] if isinstance(size, (list, tuple)) else size)


def _patch_kernel(tensor: np.ndarray) -> np.ndarray:
    """Return a linear layer on flat patches (row, column, colour) as a convolution (out, colour, row, column)."""
    side = round((tensor.shape[1] // 3) ** 0.5)
    return tensor.reshape(-1, side, side, 3).transpose(0, 3, 1, 2)
