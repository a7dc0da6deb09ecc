"""Read LLaVA checkpoints in two layouts: the original's and that of transformers."""

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
    rename_tensors,
    vision_tensor_name,
)

from anyanomaly.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

NAME = "LLaVA"
TYPES = ("llava", "llava_llama")
PROJECTOR = re.compile(r"mlp(\d+)x_gelu|linear")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Settings and weights of a checkpoint; weights have the names of the modules in memory."""

    folder: Path
    config: Any  # of the language model
    clip: Clip
    language: Mapping[str, Tensor]
    tower: Mapping[str, Tensor]
    projector: Mapping[str, Tensor]  # "0.weight", "0.bias", "2.weight" ...: linear layers, GELU between them
    layer: int  # layer of the tower whose states are used, counted as in transformers
    keep_first: bool  # keep the class token
    pad: bool  # pad images to a square, instead of cropping them
    added_tokens: tuple[str, ...] = ()  # special tokens that the original adds; images stand between the last two

    @property
    def files(self) -> tuple[Path, ...]:
        """The folders that hold the weights."""
        return (self.folder,) if self.clip.folder is None else (self.folder, self.clip.folder)


def read_checkpoint(model: str, revision: str, tower: str) -> Checkpoint:
    """Return the checkpoint ``model`` of either layout.

    :param tower: hub id or folder of the image tower; empty: the one that the checkpoint names.
    :raises UsageError: when it is another model. :raises MissingRequirement: when a file is missing.
    """
    folder = find_checkpoint(model, revision)
    config = read_config(folder, TYPES, NAME)
    if "mm_vision_tower" in config:
        return _read_original(folder, config, tower)
    if "vision_config" in config:
        if tower:
            raise UsageError(
                f"The checkpoint in {str(folder)!r} has an image tower of its own. Remove --backend.tower."
            )
        return _read_converted(folder, config)
    raise UsageError(f"The configuration in {str(folder)!r} names no image tower, so it is no {NAME} for images.")


def _read_original(folder: Path, config: dict[str, Any], tower: str) -> Checkpoint:
    _check_variant(folder, config)
    parts = _split_parts(Tensors(folder), _original_part)
    clip = find_clip(config["mm_vision_tower"], folder, tower)
    # The original loads a tower that was not trained from the CLIP that is named, also when the checkpoint has a copy.
    use_copy = parts["tower"] and (config.get("unfreeze_mm_vision_tower") or not clip.has_weights())
    patch_token = ("<im_patch>",) if config.get("mm_use_im_patch_token", True) else ()
    added_tokens = (*patch_token, "<im_start>", "<im_end>") if config.get("mm_use_im_start_end", False) else ()
    return Checkpoint(
        folder,
        llama_config(config),
        clip,
        parts["language"],
        parts["tower"] if use_copy else clip.tensors(),
        parts["projector"],
        layer=int(config.get("mm_vision_select_layer", -2)),
        keep_first=config.get("mm_vision_select_feature", "patch") == "cls_patch",
        pad=config.get("image_aspect_ratio") == "pad",
        added_tokens=added_tokens,
    )


def _check_variant(folder: Path, config: Mapping[str, Any]) -> None:
    """Raise UsageError for variants of LLaVA-1.5 that encode images in another way."""
    kind = str(config.get("mm_projector_type", "linear"))
    if not PROJECTOR.fullmatch(kind):
        raise UsageError(
            f"The projector {kind!r} of {str(folder)!r} is not supported. Use a model with linear or mlpNx_gelu."
        )
    if config.get("s2") or config.get("image_aspect_ratio") == "anyres":
        raise UsageError(
            f"The checkpoint in {str(folder)!r} uses images in several scales (S2, LLaVA-1.6), so it is no {NAME}-1.5. "
            "Use the backend transformers with the -hf version of the model."
        )


def _original_part(name: str) -> tuple[str, str | None]:
    """Return the part that a tensor of the original layout belongs to, and its name there; None: it is not used."""
    if name.startswith("model.mm_projector."):
        parameter = name.removeprefix("model.mm_projector.")
        return "projector", f"0.{parameter}" if parameter in ("weight", "bias") else parameter
    if name.startswith("model.vision_tower."):
        return "tower", vision_tensor_name(name.removeprefix("model.vision_tower.vision_tower."))
    return "language", name


def _read_converted(folder: Path, config: dict[str, Any]) -> Checkpoint:
    from transformers import LlavaConfig

    llava_config = LlavaConfig.from_dict(config)
    if llava_config.text_config.model_type != "llama" or not isinstance(llava_config.vision_feature_layer, int):
        raise UsageError(f"The model in {str(folder)!r} is no LLaVA-1.5. Use the backend transformers.")
    parts = _split_parts(Tensors(folder), _converted_part)
    preprocessing = read_json(folder / "preprocessor_config.json")
    return Checkpoint(
        folder,
        llava_config.text_config,
        Clip(llava_config.vision_config, preprocessing, None),
        parts["language"],
        parts["tower"],
        parts["projector"],
        layer=llava_config.vision_feature_layer,
        keep_first=llava_config.vision_feature_select_strategy == "full",
        pad=True,  # the setting of the original checkpoint
    )


_LINEAR_INDEX = {"linear_1": "0", "linear_2": "2"}


def _converted_part(name: str) -> tuple[str, str | None]:
    """Return the same for a tensor in the layout of transformers, named as in files or as in models in memory."""
    name = name.removeprefix("model.")
    if name.startswith("multi_modal_projector."):
        _, layer, parameter = name.split(".")
        return "projector", f"{_LINEAR_INDEX.get(layer, layer)}.{parameter}"
    if name.startswith("vision_tower."):
        return "tower", vision_tensor_name(name.removeprefix("vision_tower."))
    if name.startswith(("language_model.lm_head.", "lm_head.")):
        return "language", name.removeprefix("language_model.")
    if name.startswith("language_model."):
        return "language", f"model.{name.removeprefix('language_model.').removeprefix('model.')}"
    return "language", name


def _split_parts(
    tensors: Mapping[str, Tensor], find_part: Callable[[str], tuple[str, str | None]]
) -> dict[str, Mapping[str, Tensor]]:
    """Return the weights by part and by their names there, without those that ``find_part`` gives no name."""

    def part_of(part: str) -> Mapping[str, Tensor]:
        return rename_tensors(tensors, lambda name: place[1] if (place := find_part(name))[0] == part else None)

    return {part: part_of(part) for part in ("language", "tower", "projector")}
