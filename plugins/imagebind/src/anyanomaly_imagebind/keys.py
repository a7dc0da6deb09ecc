"""Names of ImageBind's weights to those of open_clip's towers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from anyanomaly.errors import UsageError

BLOCK = re.compile(r"modality_trunks\.(vision|text)\.blocks\.(\d+)\.(.+)")
TOWER = {"vision": "visual.transformer.resblocks", "text": "transformer.resblocks"}
INNER = {"norm_1": "ln_1", "norm_2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}

WHOLE = {
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


def towers(state: Mapping[str, Any], source: str) -> dict[str, Tensor]:
    """Return the weights of both towers under open_clip's names; other modalities are left out.

    :param source: where they come from, for the message.
    :raises UsageError: when a weight is missing, or is none of ImageBind's.
    """
    if not any(name in state for name in WHOLE):
        raise UsageError(f"The file {source} holds another model than ImageBind. Give ImageBind's imagebind_huge.pth.")
    found = {_renamed(name, source): value for name, value in state.items() if not UNUSED.match(name)}
    needed = [*WHOLE, *(f"modality_trunks.{tower}.blocks.0.mlp.fc1.weight" for tower in TOWER)]
    if missing := next((name for name in needed if name not in state), None):
        raise UsageError(f"The file {source} lacks the weight {missing!r}. Get the complete file.")
    shaped = {name: change(found[name]) for name, change in _CHANGES.items()}
    return found | {name: value.contiguous() for name, value in shaped.items()}


def _renamed(name: str, source: str) -> str:
    if name in WHOLE:
        return WHOLE[name]
    if match := BLOCK.fullmatch(name):
        kind, number, inner = match.groups()
        part, _, leaf = inner.rpartition(".")
        return f"{TOWER[kind]}.{number}.{INNER.get(part, part)}.{leaf}" if part else f"{TOWER[kind]}.{number}.{inner}"
    raise UsageError(
        f"The file {source} holds {name!r}, which ImageBind has not. Give imagebind_huge.pth as published."
    )


_CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "visual.class_embedding": lambda value: value.flatten(),
    "visual.positional_embedding": lambda value: value.squeeze(0),
    "positional_embedding": lambda value: value.squeeze(0),
    # The original shows a still image as two equal frames, so both slices of its kernel see the same pixels.
    "visual.conv1.weight": lambda value: value.sum(dim=2),
    "visual.proj": lambda value: value.T,
    "text_projection": lambda value: value.T,
}
