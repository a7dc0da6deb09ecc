"""Rename ImageBind's weights to the names of open_clip's towers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from anyanomaly.errors import UsageError

BLOCK_NAME = re.compile(r"modality_trunks\.(vision|text)\.blocks\.(\d+)\.(.+)")
BLOCKS = {"vision": "visual.transformer.resblocks", "text": "transformer.resblocks"}
LAYERS = {"norm_1": "ln_1", "norm_2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}

NEW_NAMES = {
    "modality_preprocessors.vision.cls_token": "visual.class_embedding",
    "modality_preprocessors.vision.rgbt_stem.proj.1.weight": "visual.conv1.weight",
    "modality_preprocessors.vision.pos_embedding_helper.pos_embed": "visual.positional_embedding",
    "modality_trunks.vision.pre_transformer_layer.0.weight": "visual.ln_pre.weight",
    "modality_trunks.vision.pre_transformer_layer.0.bias": "visual.ln_pre.bias",
    "modality_heads.vision.0.weight": "visual.ln_post.weight",
    "modality_heads.vision.0.bias": "visual.ln_post.bias",
    "modality_heads.vision.2.weight": "visual.proj",
    "modality_preprocessors.text.pos_embed": "positional_embedding",
    "modality_preprocessors.text.token_embedding.weight": "token_embedding.weight",
    "modality_heads.text.proj.0.weight": "ln_final.weight",
    "modality_heads.text.proj.0.bias": "ln_final.bias",
    "modality_heads.text.proj.1.weight": "text_projection",
    "modality_postprocessors.text.1.log_logit_scale": "logit_scale",
}
UNUSED = re.compile(r"modality_\w+\.(audio|depth|thermal|imu)\.|modality_preprocessors\.text\.mask$")


def tower_weights(state: Mapping[str, Any], source: str) -> dict[str, Tensor]:
    """Return the weights of both towers under open_clip's names, without those of other modalities.

    :param source: the file that they come from, for the message.
    :raises UsageError: when a weight is missing, or is not one of ImageBind's.
    """
    if not any(name in state for name in NEW_NAMES):
        raise UsageError(f"The file {source} holds another model, not ImageBind. Give ImageBind's imagebind_huge.pth.")
    weights = {_rename(name, source): value for name, value in state.items() if not UNUSED.match(name)}
    required = [*NEW_NAMES, *(f"modality_trunks.{tower}.blocks.0.mlp.fc1.weight" for tower in BLOCKS)]
    if missing := next((name for name in required if name not in state), None):
        raise UsageError(f"The file {source} lacks the weight {missing!r}. Download the file again.")
    reshaped = {name: reshape(weights[name]) for name, reshape in _RESHAPE.items()}
    return weights | {name: value.contiguous() for name, value in reshaped.items()}


def _rename(name: str, source: str) -> str:
    if name in NEW_NAMES:
        return NEW_NAMES[name]
    if match := BLOCK_NAME.fullmatch(name):
        tower, number, inner_name = match.groups()
        layer, _, parameter = inner_name.rpartition(".")
        new_name = f"{LAYERS.get(layer, layer)}.{parameter}" if layer else inner_name
        return f"{BLOCKS[tower]}.{number}.{new_name}"
    raise UsageError(
        f"The file {source} holds {name!r}, which is no weight of ImageBind. Give the published imagebind_huge.pth."
    )


_RESHAPE: dict[str, Callable[[Tensor], Tensor]] = {
    "visual.class_embedding": lambda value: value.flatten(),
    "visual.positional_embedding": lambda value: value.squeeze(0),
    "positional_embedding": lambda value: value.squeeze(0),
    # ImageBind turns a still image into two equal frames, so both slices of its kernel get the same pixels.
    "visual.conv1.weight": lambda value: value.sum(dim=2),
    "visual.proj": lambda value: value.T,
    "text_projection": lambda value: value.T,
}
