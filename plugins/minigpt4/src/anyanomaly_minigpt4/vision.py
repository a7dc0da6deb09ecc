"""The image half: EVA ViT-g from its original keys, the norm behind it, and MiniGPT-4's projection."""

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
JOINED = 4  # neighbouring patches that make one token
PUBLISHED = {"depth": 39, "num_heads": 16, "image_size": 224}  # what the file does not tell; the original's code does

RENAMED = (
    (r"cls_token", "embeddings.class_embedding"),
    (r"pos_embed", "embeddings.position_embedding"),
    (r"patch_embed\.proj\.(\w+)", r"embeddings.patch_embedding.\1"),
    (r"blocks\.(\d+)\.norm([12])\.(\w+)", r"encoder.layers.\1.layer_norm\2.\3"),
    (r"blocks\.(\d+)\.attn\.qkv\.weight", r"encoder.layers.\1.self_attn.qkv.weight"),
    (r"blocks\.(\d+)\.attn\.proj\.(\w+)", r"encoder.layers.\1.self_attn.projection.\2"),
    (r"blocks\.(\d+)\.mlp\.(fc[12])\.(\w+)", r"encoder.layers.\1.mlp.\2.\3"),
)


class Tower(nn.Module):
    """Images to embeddings: tower, norm, groups of four patches, projection."""

    def __init__(self, config: Blip2VisionConfig, hidden: int) -> None:
        super().__init__()
        self.vision = Blip2VisionModel(config)
        self.vision.set_attn_implementation(
            register_attention(CLIP_ATTENTION)
        )  # the original's own way: its numbers, to the last bit
        self.vision.post_layernorm.eps = 1e-5  # the norm behind the tower is not the tower's own
        self.projection = nn.Linear(JOINED * config.hidden_size, hidden)

    def forward(self, images: Sequence[Image]) -> Tensor:
        """Return (images, tokens, hidden)."""
        weight = self.projection.weight
        size = int(self.vision.config.image_size)
        pixels = torch.stack([preprocess(image, size) for image in images]).to(weight.device)
        # In half precision the original halves linear layers and convolutions alone, and runs under autocast.
        with torch.autocast(weight.device.type, weight.dtype, enabled=weight.dtype != torch.float32):
            patches = self.vision(pixels).last_hidden_state[:, 1:]
            projected: Tensor = self.projection(patches.reshape(len(patches), -1, JOINED * patches.shape[-1]))
        return projected


def preprocess(image: Image, size: int) -> Tensor:
    """Return an RGB image as the tower takes it: float32 (3, size, size), stretched to the square."""
    from PIL import Image as images

    square = image.resize((size, size), images.Resampling.BICUBIC)
    pixels = torch.frombuffer(bytearray(square.tobytes()), dtype=torch.uint8).reshape(size, size, 3)
    mean, std = (torch.tensor(each)[:, None, None] for each in (MEAN, STD))
    return (pixels.permute(2, 0, 1).contiguous().float() / 255 - mean) / std


def load_tower(vision: Path, projection: Path, hidden: int, device: str, dtype: Any) -> Tower:
    """Return the image half for a language model that is ``hidden`` wide.

    :raises AnyAnomalyError: when a file is broken, or not what it should be.
    """
    eva = Tensors(vision)
    sizes = _sizes(vision)
    config = _config(eva, sizes, vision)
    tower = build_empty(lambda: Tower(config, hidden))
    weights = _original(eva, sizes["depth"]) | {
        "post_layernorm.weight": torch.ones(config.hidden_size),  # frozen as it was made: never trained, in no file
        "post_layernorm.bias": torch.zeros(config.hidden_size),
    }
    weights["embeddings.position_embedding"] = _resized(
        weights["embeddings.position_embedding"], config.image_size // config.patch_size
    )
    load_weights(tower.vision, weights, label=f"the image tower {vision.name!r}", device=device)
    trained = rename_tensors(Tensors(projection, inside=("model",)), lambda name: name.removeprefix("llama_proj."))
    load_weights(tower.projection, trained, label=f"the projection {projection.name!r}", device=device)
    for module in tower.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.to(dtype)
    return tower.eval()


def _sizes(vision: Path) -> dict[str, int]:
    """Return what the tower's file does not tell: a made-up checkpoint has it in fixture.json, a published one not."""
    beside = vision.with_name("fixture.json")
    told = json.loads(beside.read_text(encoding="utf-8")).get("vit", {}) if beside.is_file() else {}
    return {name: int(told.get(name, value)) for name, value in PUBLISHED.items()}


def _config(eva: Tensors, sizes: Mapping[str, int], vision: Path) -> Blip2VisionConfig:
    lacking = [name for name in ("patch_embed.proj.weight", "blocks.0.mlp.fc1.weight", "pos_embed") if name not in eva]
    if lacking:
        raise BackendError(f"{vision.name!r} lacks {lacking[0]!r}, so it is not an EVA image tower.")
    width, _, _, patch = eva["patch_embed.proj.weight"].shape
    return Blip2VisionConfig(
        hidden_size=width,
        intermediate_size=len(eva["blocks.0.mlp.fc1.weight"]),
        num_hidden_layers=sizes["depth"],
        num_attention_heads=sizes["num_heads"],
        image_size=sizes["image_size"],
        patch_size=patch,
    )


def _original(eva: Tensors, depth: int) -> dict[str, Tensor]:
    """Return the tower's tensors under the names of transformers; what the original does not read is left out."""

    def rename(name: str) -> str | None:
        if (block := re.match(r"blocks\.(\d+)\.", name)) and int(block[1]) >= depth:
            return None
        found = (re.sub(rf"^{old}$", new, name) for old, new in RENAMED if re.fullmatch(old, name))
        return next(found, None)

    weights = rename_tensors(eva, rename)
    for place in range(depth):
        ends = [eva.get(f"blocks.{place}.attn.{name}_bias") for name in "qv"]
        if ends[0] is not None and ends[1] is not None:
            bias = torch.cat([ends[0], torch.zeros_like(ends[0]), ends[1]])
            weights[f"encoder.layers.{place}.self_attn.qkv.bias"] = bias
    return weights


def _resized(positions: Tensor, side: int) -> Tensor:
    """Return a table of positions (1, 1 + n, width) for ``side`` squared patches, as the original interpolates it."""
    own = round((positions.shape[1] - 1) ** 0.5)
    if own == side:
        return positions
    first, rest = positions[:, :1], positions[:, 1:]
    square = rest.reshape(1, own, own, -1).permute(0, 3, 1, 2).float()
    square = nn.functional.interpolate(square, size=(side, side), mode="bicubic", align_corners=False)
    return torch.cat([first, square.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
