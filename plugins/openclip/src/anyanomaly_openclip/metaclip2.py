"""Load MetaCLIP 2 in transformers' layout, in which its smaller sizes are published, into open_clip's towers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip.transform import PreprocessCfg
from safetensors.torch import load_file

from anyanomaly.errors import UsageError
from anyanomaly.outside_files import read_bounded

MODEL_TYPE = "metaclip_2"
CONFIG = "config.json"
ACTIVATIONS = {"quick_gelu": True, "gelu": False}
"""Activation in transformers' configuration to whether open_clip's is QuickGELU."""

NEW_NAMES = {
    "logit_scale": "logit_scale",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "text_projection.weight": "text_projection",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
    "visual_projection.weight": "visual.proj",
}
TRANSPOSED = ("text_projection.weight", "visual_projection.weight")
BLOCK_NAME = re.compile(r"(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
BLOCKS = {"text": "transformer.resblocks", "vision": "visual.transformer.resblocks"}
LAYERS = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
UNUSED = re.compile(r".*\.position_ids$")


def is_metaclip2(folder: Path) -> bool:
    """Return whether a folder holds MetaCLIP 2 in transformers' layout."""
    try:
        return bool(json.loads(read_bounded(folder / CONFIG)).get("model_type") == MODEL_TYPE)
    except (OSError, ValueError, AttributeError):
        return False


def load_towers(folder: Path) -> tuple[CLIP, PreprocessCfg]:
    """Return the towers on the CPU in float32, and the preprocessing of images.

    :raises UsageError: when the weights are not those of the configuration, or the activation is not known.
    """
    config = json.loads(read_bounded(folder / CONFIG))
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        raise UsageError(f"The folder {folder} holds no model.safetensors. Copy the complete repository of the model.")
    state = open_clip_weights({name: weight for file in files for name, weight in load_file(file).items()}, folder)
    model = _build_model(config, state, folder)
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as error:
        detail = str(error).strip().split("\n")[-1].strip()
        raise UsageError(f"The weights in {folder} do not fit its {CONFIG}: {detail} Copy both again.") from error
    # The model was built without memory, so the causal mask, which is no weight, is made here.
    model.attn_mask = torch.full((model.context_length, model.context_length), float("-inf")).triu(1)
    return model.float(), _preprocessing(folder, config["vision_config"]["image_size"])


def open_clip_weights(state: Mapping[str, torch.Tensor], source: Path) -> dict[str, torch.Tensor]:
    """Return transformers' weights under open_clip's names; query, key and value projections become one.

    :raises UsageError: when a weight is not one of MetaCLIP 2's.
    """
    weights: dict[str, torch.Tensor] = {}
    attention: dict[str, dict[str, torch.Tensor]] = {}
    for name, weight in state.items():
        if name in NEW_NAMES:
            weights[NEW_NAMES[name]] = weight.T.contiguous() if name in TRANSPOSED else weight
        elif match := BLOCK_NAME.fullmatch(name):
            tower, number, layer, parameter = match.groups()
            block = f"{BLOCKS[tower]}.{number}"
            if layer in LAYERS:
                weights[f"{block}.{LAYERS[layer]}.{parameter}"] = weight
            else:
                attention.setdefault(f"{block}.attn.in_proj_{parameter}", {})[layer] = weight
        elif not UNUSED.match(name):
            raise UsageError(f"The weights in {source} hold {name!r}, which is no weight of MetaCLIP 2.")
    for name, parts in attention.items():
        projections = [parts[f"self_attn.{part}_proj"] for part in "qkv" if f"self_attn.{part}_proj" in parts]
        if len(parts) != 3 or len(projections) != 3:
            raise UsageError(f"The weights in {source} lack a part of {name!r}. Copy the file again.")
        weights[name] = torch.cat(projections)
    return weights


def _build_model(config: Mapping[str, Any], state: Mapping[str, torch.Tensor], source: Path) -> CLIP:
    """Return towers of the configuration's sizes, without memory for their weights."""
    text, vision = config["text_config"], config["vision_config"]
    activation = text.get("hidden_act", "quick_gelu")
    if activation not in ACTIVATIONS or vision.get("hidden_act", "quick_gelu") != activation:
        raise UsageError(f"{source / CONFIG} asks for the activation {activation!r}, which this encoder does not have.")
    with torch.device("meta"):
        return CLIP(
            config["projection_dim"],
            CLIPVisionCfg(
                layers=vision["num_hidden_layers"],
                width=vision["hidden_size"],
                head_width=vision["hidden_size"] // vision["num_attention_heads"],
                mlp_ratio=vision["intermediate_size"] / vision["hidden_size"],
                patch_size=vision["patch_size"],
                image_size=vision["image_size"],
                norm_kwargs={"eps": vision.get("layer_norm_eps", 1e-5)},
            ),
            CLIPTextCfg(
                context_length=len(state["positional_embedding"]),
                vocab_size=len(state["token_embedding.weight"]),
                width=text["hidden_size"],
                heads=text["num_attention_heads"],
                layers=text["num_hidden_layers"],
                mlp_ratio=text["intermediate_size"] / text["hidden_size"],
                norm_kwargs={"eps": text.get("layer_norm_eps", 1e-5)},
                pool_type="eos",
                eos_id=text["eos_token_id"],
            ),
            quick_gelu=ACTIVATIONS[activation],
        )


def _preprocessing(folder: Path, side: int) -> PreprocessCfg:
    """Return the preprocessing of ``preprocessor_config.json``; CLIP's without that file."""
    try:
        config = json.loads(read_bounded(folder / "preprocessor_config.json"))
    except FileNotFoundError:
        return PreprocessCfg(size=side)
    default = PreprocessCfg()
    return PreprocessCfg(
        size=side,
        mean=tuple(config.get("image_mean", default.mean)),
        std=tuple(config.get("image_std", default.std)),
        resize_mode="squash" if "height" in config.get("size", {}) else "shortest",
    )
