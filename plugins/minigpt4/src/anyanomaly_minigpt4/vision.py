"""The image half: EVA ViT-g from the original's weights, a layer norm, and MiniGPT-4's projection."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from anyanomaly_transformers.api import (
    CLIP_ATTENTION,
    Tensors,
    build_empty,
    load_weights,
    register_attention,
    rename_tensors,
)
from torch import nn
from transformers import Blip2VisionConfig, Blip2VisionModel

from anyanomaly.errors import BackendError

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PATCHES_PER_TOKEN = 4  # neighbouring patches are concatenated
PUBLISHED_SIZES = {"depth": 39, "num_heads": 16, "image_size": 224}  # in the original's code, not in its file

NEW_NAMES = (  # pattern of the original's names; name in transformers
    (r"cls_token", "embeddings.class_embedding"),
    (r"pos_embed", "embeddings.position_embedding"),
    (r"patch_embed\.proj\.(\w+)", r"embeddings.patch_embedding.\1"),
    (r"blocks\.(\d+)\.norm([12])\.(\w+)", r"encoder.layers.\1.layer_norm\2.\3"),
    (r"blocks\.(\d+)\.attn\.qkv\.weight", r"encoder.layers.\1.self_attn.qkv.weight"),
    (r"blocks\.(\d+)\.attn\.proj\.(\w+)", r"encoder.layers.\1.self_attn.projection.\2"),
    (r"blocks\.(\d+)\.mlp\.(fc[12])\.(\w+)", r"encoder.layers.\1.mlp.\2.\3"),
)


class Tower(nn.Module):
    """Image tower, layer norm, groups of four patches, projection."""

    def __init__(self, config: Blip2VisionConfig, hidden: int) -> None:
        super().__init__()
        self.vision = Blip2VisionModel(config)
        self.vision.set_attn_implementation(register_attention(CLIP_ATTENTION))  # equals the original to the last bit
        self.vision.post_layernorm.eps = 1e-5  # MiniGPT-4's layer norm after the tower; the tower's own is 1e-6
        self.projection = nn.Linear(PATCHES_PER_TOKEN * config.hidden_size, hidden)

    def forward(self, images: Sequence[Image]) -> Tensor:
        """Return the embeddings (n, tokens, hidden) of n RGB images."""
        weight = self.projection.weight
        size = int(self.vision.config.image_size)
        pixels = torch.stack([preprocess(image, size) for image in images]).to(weight.device)
        # In half precision, the original converts linear layers and convolutions only, and runs under autocast.
        with torch.autocast(weight.device.type, weight.dtype, enabled=weight.dtype != torch.float32):
            patches = self.vision(pixels).last_hidden_state[:, 1:]
            projected: Tensor = self.projection(
                patches.reshape(len(patches), -1, PATCHES_PER_TOKEN * patches.shape[-1])
            )
        return projected


def preprocess(image: Image, size: int) -> Tensor:
    """Return the tower's input for an RGB image: float32 (3, size, size), stretched to a square, normalised."""
    from PIL.Image import Resampling

    square = image.resize((size, size), Resampling.BICUBIC)
    pixels = torch.frombuffer(bytearray(square.tobytes()), dtype=torch.uint8).reshape(size, size, 3)
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    return (pixels.permute(2, 0, 1).contiguous().float() / 255 - mean) / std


def load_tower(vision: Path, projection: Path, hidden: int, device: str, dtype: Any) -> Tower:
    """Return the image half.

    :param hidden: width of the language model.
    :raises AnyAnomalyError: when a file is broken, or of another model.
    """
    eva = Tensors(vision)
    sizes = _read_sizes(vision)
    config = _build_config(eva, sizes, vision)
    tower = build_empty(lambda: Tower(config, hidden))
    weights = _rename_weights(eva, sizes["depth"]) | {
        "post_layernorm.weight": torch.ones(config.hidden_size),  # never trained, so no file holds it
        "post_layernorm.bias": torch.zeros(config.hidden_size),
    }
    weights["embeddings.position_embedding"] = _resize_positions(
        weights["embeddings.position_embedding"], config.image_size // config.patch_size
    )
    # The published file is in half precision. The original reads it into single precision and converts some modules.
    label = f"the image tower {vision.name!r}"
    load_weights(tower.vision, weights, label=label, device=device, dtype=torch.float32)
    checkpoint = Tensors(projection, inside=("model",))
    projection_weights = rename_tensors(checkpoint, lambda name: name.removeprefix("llama_proj."))
    label = f"the projection {projection.name!r}"
    load_weights(tower.projection, projection_weights, label=label, device=device, dtype=torch.float32)
    for module in tower.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.to(dtype)
    return tower.eval()


def _read_sizes(vision: Path) -> dict[str, int]:
    """Return sizes that the tower's file does not hold: from fixture.json of a test checkpoint, else as published."""
    fixture = vision.with_name("fixture.json")
    sizes = json.loads(fixture.read_text(encoding="utf-8")).get("vit", {}) if fixture.is_file() else {}
    return {name: int(sizes.get(name, value)) for name, value in PUBLISHED_SIZES.items()}


def _build_config(eva: Tensors, sizes: Mapping[str, int], vision: Path) -> Blip2VisionConfig:
    required = ("patch_embed.proj.weight", "blocks.0.mlp.fc1.weight", "pos_embed")
    missing = [name for name in required if name not in eva]
    if missing:
        raise BackendError(
            f"{vision.name!r} lacks {missing[0]!r}, so it is not an EVA image tower. Give eva_vit_g.pth with "
            "--backend.vision."
        )
    width, _, _, patch_size = eva["patch_embed.proj.weight"].shape
    return Blip2VisionConfig(
        hidden_size=width,
        intermediate_size=len(eva["blocks.0.mlp.fc1.weight"]),
        num_hidden_layers=sizes["depth"],
        num_attention_heads=sizes["num_heads"],
        image_size=sizes["image_size"],
        patch_size=patch_size,
    )


def _rename_weights(eva: Tensors, depth: int) -> dict[str, Tensor]:
    """Return the tower's tensors under the names of transformers, without those that the original does not load."""

    def rename(name: str) -> str | None:
        if (block := re.match(r"blocks\.(\d+)\.", name)) and int(block[1]) >= depth:
            return None
        new_names = (re.sub(rf"^{old}$", new, name) for old, new in NEW_NAMES if re.fullmatch(old, name))
        return next(new_names, None)

    weights = dict(rename_tensors(eva, rename))
    for layer in range(depth):
        q_bias, v_bias = (eva.get(f"blocks.{layer}.attn.{name}_bias") for name in "qv")
        if q_bias is not None and v_bias is not None:
            bias = torch.cat([q_bias, torch.zeros_like(q_bias), v_bias])
            weights[f"encoder.layers.{layer}.self_attn.qkv.bias"] = bias
    return weights


def _resize_positions(positions: Tensor, side: int) -> Tensor:
    """Return position embeddings (1, 1 + side * side, width), interpolated as in the original.

    :param positions: position embeddings (1, 1 + n, width) of the class token and of n patches in a square.
    :param side: patches per side of the image.
    """
    old_side = round((positions.shape[1] - 1) ** 0.5)
    if old_side == side:
        return positions
    class_position, patch_positions = positions[:, :1], positions[:, 1:]
    square = patch_positions.reshape(1, old_side, old_side, -1).permute(0, 3, 1, 2).float()
    square = nn.functional.interpolate(square, size=(side, side), mode="bicubic", align_corners=False)
    return torch.cat([class_position, square.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
