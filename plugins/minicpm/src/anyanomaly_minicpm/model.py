"""MiniCPM-V: its language model, its image tower, and the views of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from anyanomaly_transformers.api import (
    ImageSlot,
    Tensors,
    build_empty,
    load_language_model,
    load_weights,
    rename_tensors,
    resolve_device,
    resolve_dtype,
    translate_errors,
)

from anyanomaly.types import Query
from anyanomaly_minicpm.checkpoint import Checkpoint
from anyanomaly_minicpm.images import views_of
from anyanomaly_minicpm.options import MiniCpmOptions
from anyanomaly_minicpm.profiles import PROFILES
from anyanomaly_minicpm.prompts import prompt_of, read_tokenizer

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from anyanomaly_minicpm.vision import Strip, Vision


class MiniCpm:
    """A loaded MiniCPM-V."""

    def __init__(self, checkpoint: Checkpoint, options: MiniCpmOptions) -> None:
        self.checkpoint = checkpoint
        self.files = (checkpoint.folder,)
        self.profile = PROFILES[options.profile]
        self.tokenizer = read_tokenizer(checkpoint)
        tensors = Tensors(checkpoint.folder)
        self.language = _load_language(checkpoint, tensors, options)
        ends = [mark or self.tokenizer.eos_token for mark in checkpoint.version.ends]
        self.language.generation_config.eos_token_id = self.tokenizer.convert_tokens_to_ids(ends)
        self.vision = _load_vision(checkpoint, tensors, self.language.config.hidden_size, options)
        self._by_grid = checkpoint.version.grid or options.positions == "grid"
        self._together = checkpoint.version.grid or bool(checkpoint.config.get("batch_vision_input", True))

    def pieces(self, query: Query) -> Sequence[Sequence[int] | ImageSlot]:
        """Return the prompt: token ids, and a place per view of an image."""
        return prompt_of(self.tokenizer, self.checkpoint, query)

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> Sequence[Sequence[Tensor]]:
        """Return one tensor (queries, hidden) per view of each group of images; a group is one question's."""
        return [self._encoded(self.strips(group)) for group in groups]

    def _encoded(self, strips: Sequence[Strip]) -> list[Tensor]:
        return list(self.vision(strips)) if self._together else [self.vision([strip])[0] for strip in strips]

    def strips(self, images: Sequence[Image]) -> list[Strip]:
        """Return the views of one question's images, as the tower reads them."""
        from anyanomaly_minicpm.vision import grids_of, rows_of

        views = [view for image in images for view in views_of(image, self.checkpoint.slicing)]
        side = self.vision.vpm.embeddings.num_patches_per_side
        return grids_of(views, side) if self._by_grid else rows_of(views, side, together=self._together)


def _load_language(checkpoint: Checkpoint, tensors: Mapping[str, Tensor], options: MiniCpmOptions) -> Any:
    import transformers

    name = checkpoint.version.language
    with translate_errors(options.model):
        config = getattr(transformers, f"{name}Config")(**checkpoint.language)
    own = rename_tensors(tensors, lambda key: key.removeprefix("llm.") if key.startswith("llm.") else None)
    model = load_language_model(getattr(transformers, f"{name}ForCausalLM"), config, own, options)
    model.set_attn_implementation("sdpa")  # as the original's own release of transformers, in float32 too
    return model


def _load_vision(checkpoint: Checkpoint, tensors: Mapping[str, Tensor], hidden: int, options: MiniCpmOptions) -> Vision:
    from transformers import Idefics2VisionConfig

    from anyanomaly_minicpm.vision import Vision

    device = resolve_device(options.device)
    dtype = resolve_dtype(options, device)
    with translate_errors(options.model):
        config = Idefics2VisionConfig(**checkpoint.tower)
        vision = build_empty(partial(Vision, config, checkpoint.n_queries, hidden))
    own = rename_tensors(tensors, lambda key: None if key.startswith("llm.") else key)
    load_weights(vision, own, label=f"the image half of {options.model!r}", device=device, dtype=dtype)
    # For the original's numbers: its own attention, and torch multiplies by weights that could be trained, as the
    # original's could, in another order.
    vision.vpm.set_attn_implementation("eager")
    vision.resampler.attn.in_proj_weight.requires_grad_(True)
    return vision
