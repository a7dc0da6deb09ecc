"""LLaVA-1.5 and LLaVA++: CLIP's patches through two layers into LLaMA's embeddings."""

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
from anyanomaly_llavapp.checkpoint import Layout, read_layout
from anyanomaly_llavapp.options import LlavaOptions

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn


class LlavaModel:
    """A loaded LLaVA."""

    def __init__(self, layout: Layout, options: LlavaOptions, profile: Profile) -> None:
        from transformers import LlamaForCausalLM

        device = resolve_device(options.device)
        dtype = resolve_dtype(options, device)
        self.files: Sequence[Path] = layout.files
        self.tokenizer = tokenizer_of(layout)
        self.profile = profile
        if layout.marks:
            self.profile = replace(profile, image_open=layout.marks[-2], image_close=layout.marks[-1])
        self._processor = clip_processor(layout.clip.preprocessing, pad=layout.pad)
        self.projector = read_projector(layout.projector, device, dtype)
        self.tower = ClipTower(
            layout.clip.config,
            layout.tower,
            device=device,
            dtype=dtype,
            layer=layout.layer,
            keep_first=layout.keep_first,
        )
        self.language = load_language_model(LlamaForCausalLM, layout.config, layout.language, options)
        self.language.set_attn_implementation("sdpa")  # as the originals' own release of transformers, in float32 too

    def pieces(self, query: Query) -> Sequence[Sequence[int] | ImageSlot]:
        """Return the prompt: token ids, and a place per image."""
        slots = [ImageSlot((place,)) for place in range(len(query.images))]
        return encode_layout(self.tokenizer, self.profile.layout(query, slots))

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> Sequence[Sequence[Tensor]]:
        """Return one tensor (patches, hidden) per image; each group is one."""
        features = self.projector(self.tower(self.pixels([image for group in groups for image in group])))
        return [[each] for each in features]

    def pixels(self, images: Sequence[Image]) -> Tensor:
        """Return what the tower takes (n, 3, side, side)."""
        return pixel_values(self._processor, images)


def load_llava(options: LlavaOptions, profile: Profile) -> LlavaModel:
    """Load what ``options`` name, to be spoken to as ``profile`` says."""
    return LlavaModel(read_layout(options.model, options.revision, options.tower), options, profile)


def tokenizer_of(layout: Layout) -> Any:
    """Return the tokenizer with the marks that the original adds.

    :raises BackendError: when it has more tokens than the model.
    """
    tokenizer = read_tokenizer(layout.folder)
    tokenizer.add_tokens(list(layout.marks), special_tokens=True)
    if len(tokenizer) > layout.config.vocab_size:
        raise BackendError(
            f"The tokenizer in {str(layout.folder)!r} has {len(tokenizer)} tokens, and the model "
            f"{layout.config.vocab_size}. A file of the checkpoint is another model's."
        )
    return tokenizer


def read_projector(tensors: Mapping[str, Tensor], device: str, dtype: Any) -> nn.Module:
    """Return the linear layers that ``tensors`` are, GELU between them."""
    from torch import nn

    shapes = [tensors[name].shape for name in sorted(tensors) if name.endswith(".weight") and tensors[name].ndim == 2]
    if not shapes:
        raise BackendError("The checkpoint holds no projector for images. Get the complete checkpoint.")
    layers: list[nn.Module] = []
    for place, (wide, narrow) in enumerate(shapes):
        layers += [*([nn.GELU()] if place else []), nn.Linear(narrow, wide)]
    projector = build_empty(lambda: nn.Sequential(*layers))
    load_weights(projector, tensors, label="the projector of images", device=device, dtype=dtype)
    return projector
