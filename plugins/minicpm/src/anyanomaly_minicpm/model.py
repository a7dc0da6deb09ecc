"""MiniCPM-V: language model, image tower, and views of images."""

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
from anyanomaly_minicpm.images import make_views
from anyanomaly_minicpm.options import MiniCpmOptions
from anyanomaly_minicpm.profiles import PROFILES
from anyanomaly_minicpm.prompts import build_prompt, read_tokenizer

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from anyanomaly_minicpm.vision import TowerInput, Vision


class MiniCpm:
    """A loaded MiniCPM-V: a `PrefixModel`.

    :raises AnyAnomalyError: when files are missing, incomplete, or of another model.
    """

    def __init__(self, checkpoint: Checkpoint, options: MiniCpmOptions) -> None:
        self.checkpoint = checkpoint
        self.files = (checkpoint.folder,)
        self.profile = PROFILES[options.profile]
        self.tokenizer = read_tokenizer(checkpoint)
        tensors = Tensors(checkpoint.folder)
        self.language = _load_language(checkpoint, tensors, options)
        stop_tokens = [token or self.tokenizer.eos_token for token in checkpoint.version.stop_tokens]
        self.language.generation_config.eos_token_id = self.tokenizer.convert_tokens_to_ids(stop_tokens)
        self.vision = _load_vision(checkpoint, tensors, self.language.config.hidden_size, options)
        has_grid = checkpoint.version.has_grid_positions
        self._uses_grid = has_grid or options.positions == "grid"
        self._batches_views = has_grid or bool(checkpoint.config.get("batch_vision_input", True))

    def pieces(self, query: Query) -> Sequence[Sequence[int] | ImageSlot]:
        """Return the prompt: token ids, and a slot for each view of an image."""
        return build_prompt(self.tokenizer, self.checkpoint, query)

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> Sequence[Sequence[Tensor]]:
        """Return the embeddings (queries, hidden) of each view; a group holds all images of a query."""
        return [self._encode_views(self.tower_inputs(group)) for group in groups]

    def _encode_views(self, inputs: Sequence[TowerInput]) -> list[Tensor]:
        if self._batches_views:
            return list(self.vision(inputs))
        return [self.vision([tower_input])[0] for tower_input in inputs]

    def tower_inputs(self, images: Sequence[Image]) -> list[TowerInput]:
        """Return the views of the images of a query, as inputs of the tower."""
        from anyanomaly_minicpm.vision import grid_inputs, row_inputs

        views = [view for image in images for view in make_views(image, self.checkpoint.slicing)]
        side = self.vision.vpm.embeddings.num_patches_per_side
        if self._uses_grid:
            return grid_inputs(views, side)
        return row_inputs(views, side, pad_to_longest=self._batches_views)


def _load_language(checkpoint: Checkpoint, tensors: Mapping[str, Tensor], options: MiniCpmOptions) -> Any:
    import transformers

    name = checkpoint.version.language
    with translate_errors(options.model):
        config = getattr(transformers, f"{name}Config")(**checkpoint.language_settings)
    weights = rename_tensors(tensors, lambda key: key.removeprefix("llm.") if key.startswith("llm.") else None)
    model = load_language_model(getattr(transformers, f"{name}ForCausalLM"), config, weights, options)
    model.set_attn_implementation("sdpa")  # used by the original's release of transformers, in float32 too
    return model


def _load_vision(checkpoint: Checkpoint, tensors: Mapping[str, Tensor], hidden: int, options: MiniCpmOptions) -> Vision:
    from transformers import Idefics2VisionConfig

    from anyanomaly_minicpm.vision import Vision

    device = resolve_device(options.device)
    dtype = resolve_dtype(options, device)
    with translate_errors(options.model):
        config = Idefics2VisionConfig(**checkpoint.tower_settings)
        vision = build_empty(partial(Vision, config, checkpoint.n_queries, hidden))
    weights = rename_tensors(tensors, lambda key: None if key.startswith("llm.") else key)
    load_weights(vision, weights, label=f"the image half of {options.model!r}", device=device, dtype=dtype)
    # For the original's values to the last bit: its implementation of attention, and weights that require gradients as
    # the original's do, because torch multiplies by those in another order.
    vision.vpm.set_attn_implementation("eager")
    vision.resampler.attn.in_proj_weight.requires_grad_(True)
    return vision
