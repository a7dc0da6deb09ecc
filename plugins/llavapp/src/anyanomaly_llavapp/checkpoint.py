"""The two layouts of LLaVA checkpoints: the original's, and transformers'."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyanomaly_transformers.api import (
    Clip,
    Tensors,
    find_checkpoint,
    find_clip,
    llama_config,
    read_config,
    read_json,
    vision_tensor_name,
)

from anyanomaly.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

NAME = "LLaVA"
TYPES = ("llava", "llava_llama")
PROJECTOR = re.compile(r"mlp(\d+)x_gelu|linear")


@dataclass(frozen=True, slots=True)
class Layout:
    """What a checkpoint holds, its weights under the names that the parts have in memory."""

    folder: Path
    config: Any  # of the language model
    clip: Clip
    language: Mapping[str, Tensor]
    tower: Mapping[str, Tensor]
    projector: Mapping[str, Tensor]  # "0.weight", "0.bias", "2.weight" ...: linear layers, GELU between them
    layer: int  # whose states are read, counted as transformers does
    keep_first: bool  # whether the class token is kept
    pad: bool  # images to a square, instead of cutting them
    marks: tuple[str, ...] = ()  # tokens that the original adds to its tokenizer; images stand between the last two

    @property
    def files(self) -> tuple[Path, ...]:
        """What identifies the weights."""
        return (self.folder,) if self.clip.folder is None else (self.folder, self.clip.folder)


def read_layout(model: str, revision: str, tower: str) -> Layout:
    """Return what the checkpoint ``model`` holds, in whichever layout.

    :param tower: the image tower, where it is not the one that the checkpoint names.
    :raises UsageError: when it is another model. :raises MissingRequirement: when a file is missing.
    """
    folder = find_checkpoint(model, revision)
    config = read_config(folder, TYPES, NAME)
    if "mm_vision_tower" in config:
        return _original(folder, config, tower)
    if "vision_config" in config:
        if tower:
            raise UsageError(f"The checkpoint in {str(folder)!r} has its own image tower. Leave out --backend.tower.")
        return _converted(folder, config)
    raise UsageError(f"The configuration in {str(folder)!r} names no image tower, so it is no {NAME} that sees.")


def _original(folder: Path, config: dict[str, Any], tower: str) -> Layout:
    _refuse_kin(folder, config)
    parts = _split(Tensors(folder), _original_part)
    clip = find_clip(config["mm_vision_tower"], folder, tower)
    # The original reads a tower that was not trained from where it is named, whatever the checkpoint holds of it.
    own = parts["tower"] and (config.get("unfreeze_mm_vision_tower") or not clip.has_weights())
    patch = ("<im_patch>",) if config.get("mm_use_im_patch_token", True) else ()
    marks = (*patch, "<im_start>", "<im_end>") if config.get("mm_use_im_start_end", False) else ()
    return Layout(
        folder,
        llama_config(config),
        clip,
        parts["language"],
        parts["tower"] if own else clip.tensors(),
        parts["projector"],
        layer=int(config.get("mm_vision_select_layer", -2)),
        keep_first=config.get("mm_vision_select_feature", "patch") == "cls_patch",
        pad=config.get("image_aspect_ratio") == "pad",
        marks=marks,
    )


def _refuse_kin(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse relatives of LLaVA-1.5 that take images otherwise."""
    kind = str(config.get("mm_projector_type", "linear"))
    if not PROJECTOR.fullmatch(kind):
        raise UsageError(f"The projector {kind!r} of {str(folder)!r} is not known here; linear and mlpNx_gelu are.")
    if config.get("s2") or config.get("image_aspect_ratio") == "anyres":
        raise UsageError(
            f"The checkpoint in {str(folder)!r} looks at images in several scales (S2, LLaVA-1.6), which {NAME}-1.5 "
            "does not. Use the backend transformers with its converted form."
        )


def _original_part(name: str) -> tuple[str, str | None]:
    if name.startswith("model.mm_projector."):
        inner = name.removeprefix("model.mm_projector.")
        return "projector", f"0.{inner}" if inner in ("weight", "bias") else inner
    if name.startswith("model.vision_tower."):
        return "tower", vision_tensor_name(name.removeprefix("model.vision_tower.vision_tower."))
    return "language", name


def _converted(folder: Path, config: dict[str, Any]) -> Layout:
    from transformers import LlavaConfig

    whole = LlavaConfig.from_dict(config)
    if whole.text_config.model_type != "llama" or not isinstance(whole.vision_feature_layer, int):
        raise UsageError(f"The model in {str(folder)!r} is no LLaVA-1.5. Use the backend transformers.")
    parts = _split(Tensors(folder), _converted_part)
    preprocessing = read_json(folder / "preprocessor_config.json")
    return Layout(
        folder,
        whole.text_config,
        Clip(whole.vision_config, preprocessing, None),
        parts["language"],
        parts["tower"],
        parts["projector"],
        layer=whole.vision_feature_layer,
        keep_first=whole.vision_feature_select_strategy == "full",
        pad=True,  # as the original does, from which the weights are
    )


_PROJECTED = {"linear_1": "0", "linear_2": "2"}


def _converted_part(name: str) -> tuple[str, str | None]:
    """Sort a weight by the names that files have, or those that models of transformers 5 have in memory."""
    name = name.removeprefix("model.")
    if name.startswith("multi_modal_projector."):
        _, layer, leaf = name.split(".")
        return "projector", f"{_PROJECTED.get(layer, layer)}.{leaf}"
    if name.startswith("vision_tower."):
        return "tower", vision_tensor_name(name.removeprefix("vision_tower."))
    if name.startswith(("language_model.lm_head.", "lm_head.")):
        return "language", name.removeprefix("language_model.")
    if name.startswith("language_model."):
        return "language", f"model.{name.removeprefix('language_model.').removeprefix('model.')}"
    return "language", name


def _split(
    tensors: Mapping[str, Tensor], sort: Callable[[str], tuple[str, str | None]]
) -> dict[str, dict[str, Tensor]]:
    """Return the weights by part and by their names there; what ``sort`` gives no name is left out."""
    parts: dict[str, dict[str, Tensor]] = {"language": {}, "tower": {}, "projector": {}}
    for name in tensors:
        part, inner = sort(name)
        if inner is not None:
            parts[part][inner] = tensors[name]
    return parts
