"""LLaVA-1.5 and LLaVA++: patch features of CLIP, projected by two linear layers to embeddings of LLaMA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyanomaly_transformers.api import (
    ClipTower,
    ImageSlot,
    Profile,
    build_empty,
    clip_processor,
    encode_layout,
    load_language_model,
    load_weights,
    pixel_values,
    read_tokenizer,
    resolve_device,
    resolve_dtype,
)

from anyanomaly.errors import BackendError
from anyanomaly.types import Query
from anyanomaly_llavapp.checkpoint import Checkpoint, read_checkpoint
from anyanomaly_llavapp.options import LlavaOptions

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn


class LlavaModel:
    """A loaded LLaVA: a `PrefixModel`.

    :raises AnyAnomalyError: when a part is incomplete or does not fit.
    """

    def __init__(self, checkpoint: Checkpoint, options: LlavaOptions, profile: Profile) -> None:
        from transformers import LlamaForCausalLM

        device = resolve_device(options.device)
        dtype = resolve_dtype(options, device)
        self.files: Sequence[Path] = checkpoint.files
        self.tokenizer = load_tokenizer(checkpoint)
        self.profile = profile
        if checkpoint.added_tokens:
            image_open, image_close = checkpoint.added_tokens[-2:]
            self.profile = replace(profile, image_open=image_open, image_close=image_close)
        self._processor = clip_processor(checkpoint.clip.preprocessing, pad=checkpoint.pad)
        self.projector = read_projector(checkpoint.projector, device, dtype)
        self.tower = ClipTower(
            checkpoint.clip.config,
            checkpoint.tower,
            device=device,
            dtype=dtype,
            layer=checkpoint.layer,
            keep_first=checkpoint.keep_first,
        )
        self.language = load_language_model(LlamaForCausalLM, checkpoint.config, checkpoint.language, options)
        self.language.set_attn_implementation("sdpa")  # used by the originals' release of transformers, in float32 too

    def pieces(self, query: Query) -> Sequence[Sequence[int] | ImageSlot]:
        """Return the prompt: token ids, and a slot for each image."""
        slots = [ImageSlot((index,)) for index in range(len(query.images))]
        return encode_layout(self.tokenizer, self.profile.layout(query, slots))

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> Sequence[Sequence[Tensor]]:
        """Return the embeddings (patches, hidden) of each image; a group is one image."""
        images = [image for group in groups for image in group]
        return [[embeddings] for embeddings in self.projector(self.tower(self.preprocess(images)))]

    def preprocess(self, images: Sequence[Image]) -> Tensor:
        """Return the tower's input (n, 3, side, side) for n images."""
        return pixel_values(self._processor, images)


def load_llava(options: LlavaOptions, profile: Profile) -> LlavaModel:
    """Return the model that ``options`` name, with the conversation ``profile``.

    :raises AnyAnomalyError: when files are missing, incomplete, or of another model.
    """
    return LlavaModel(read_checkpoint(options.model, options.revision, options.tower), options, profile)


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """Return the tokenizer with the special tokens that the original adds.

    :raises BackendError: when it has more tokens than the model.
    """
    tokenizer = read_tokenizer(checkpoint.folder)
    tokenizer.add_tokens(list(checkpoint.added_tokens), special_tokens=True)
    if len(tokenizer) > checkpoint.config.vocab_size:
        raise BackendError(
            f"The tokenizer in {str(checkpoint.folder)!r} has {len(tokenizer)} tokens, but the model has embeddings "
            f"for {checkpoint.config.vocab_size}. A file belongs to another model; download the checkpoint again."
        )
    return tokenizer


def read_projector(tensors: Mapping[str, Tensor], device: str, dtype: Any) -> nn.Module:
    """Return the projector: the linear layers of ``tensors``, with GELU between them.

    :param tensors: "0.weight" (out, in), "0.bias" (out,), "2.weight" ...
    :raises BackendError: when there is no layer, or a tensor does not fit.
    """
    from torch import nn

    shapes = [tensors[name].shape for name in sorted(tensors) if name.endswith(".weight") and tensors[name].ndim == 2]
    if not shapes:
        raise BackendError("The checkpoint holds no projector for images. Download the checkpoint again.")
    layers: list[nn.Module] = []
    for index, (out_features, in_features) in enumerate(shapes):
        layers += [*([nn.GELU()] if index else []), nn.Linear(in_features, out_features)]
    projector = build_empty(lambda: nn.Sequential(*layers))
    load_weights(projector, tensors, label="the projector of images", device=device, dtype=dtype)
    return projector
