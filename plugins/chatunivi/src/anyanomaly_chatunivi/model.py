"""Chat-UniVi: CLIP's patches, merged, through one layer into LLaMA's embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyanomaly_transformers.api import (
    LLAMA_ATTENTION,
    ClipTower,
    ImageSlot,
    Profile,
    Tensors,
    build_empty,
    clip_processor,
    encode_layout,
    find_checkpoint,
    find_clip,
    llama_config,
    load_language_model,
    load_weights,
    pixel_values,
    read_config,
    read_tokenizer,
    register_attention,
    rename_tensors,
    resolve_device,
    resolve_dtype,
)

from anyanomaly.errors import BackendError, UsageError
from anyanomaly.types import Query
from anyanomaly_chatunivi.merging import read_merging
from anyanomaly_chatunivi.options import ChatUniViOptions

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

NAME, TYPE = "Chat-UniVi", "ChatUniVi"
PROJECTOR = "model.mm_projector."


class ChatUniVi:
    """A loaded Chat-UniVi."""

    def __init__(self, options: ChatUniViOptions, profile: Profile) -> None:
        import torch
        from torch import nn
        from transformers import LlamaForCausalLM

        folder = find_checkpoint(options.model, options.revision)
        config = read_config(folder, {TYPE}, NAME)
        if "mm_vision_tower" not in config:
            raise UsageError(f"The configuration in {str(folder)!r} names no image tower, so it is no {NAME}.")
        device = resolve_device(options.device)
        dtype = resolve_dtype(options, device)
        tensors = Tensors(folder)
        # The original reads the tower from where it is named, whatever copy of it the checkpoint holds.
        clip = find_clip(config["mm_vision_tower"], folder, options.tower)
        self.files: Sequence[Path] = (folder, *([clip.folder] if clip.folder else []))
        self.merging = read_merging(config)
        self._options = options
        self._device = device
        self._processor = clip_processor(clip.preprocessing, pad=False)
        self.tower = ClipTower(
            clip.config,
            clip.tensors(),
            device=device,
            dtype=dtype,
            layer=int(config.get("mm_vision_select_layer", -2)),
        )
        language = llama_config({name: value for name, value in config.items() if name != "config"})
        self.projector = build_empty(lambda: nn.Linear(config["mm_hidden_size"], language.hidden_size))
        trained = rename_tensors(tensors, lambda name: name.partition(PROJECTOR)[2] or None)
        load_weights(self.projector, trained, label="the projector of images", device=device, dtype=dtype)
        self.tokenizer = read_tokenizer(folder)
        marks = _add_marks(self.tokenizer, config, language.vocab_size)
        self.profile = replace(profile, image_open=marks[0], image_close=marks[1]) if marks else profile
        self.language = load_language_model(LlamaForCausalLM, language, rename_tensors(tensors, _language), options)
        if dtype == torch.float16:  # as in float32, for the original's last bits: it runs in half precision
            self.language.set_attn_implementation(register_attention(LLAMA_ATTENTION))
        if len(self.tokenizer) < language.vocab_size:  # the original drops what no token stands for
            self.language.resize_token_embeddings(len(self.tokenizer))

    def pieces(self, query: Query) -> Sequence[Sequence[int] | ImageSlot]:
        """Return the prompt: token ids, and one place for all images."""
        frames = chosen_frames(len(query.images), self._options.max_frames)
        return encode_layout(self.tokenizer, self.profile.layout(query, [ImageSlot(frames)] if frames else []))

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> Sequence[Sequence[Tensor]]:
        """Return one tensor (tokens, hidden) per group, which is an image or a video's frames.

        Each group goes through the tower alone: in another company its last bits, and with them its tokens, differ.
        """
        return [[self.projector(self.merged(self.features(group)).to(self._device))] for group in groups]

    def features(self, images: Sequence[Image]) -> Tensor:
        """Return patch features (n, patches, width)."""
        return self.tower(self.pixels(images))

    def merged(self, features: Tensor) -> Tensor:
        """Return the tokens (n, width) of patch features (frames, patches, width)."""
        import torch

        seed = self._options.noise_seed
        return self.merging.tokens(features.cpu(), None if seed is None else torch.Generator().manual_seed(seed))

    def pixels(self, images: Sequence[Image]) -> Tensor:
        """Return what the tower takes (n, 3, side, side)."""
        return pixel_values(self._processor, images)


def chosen_frames(n_frames: int, most: int) -> tuple[int, ...]:
    """Return which frames are looked at: all, or ``most`` of them evenly."""
    import numpy as np

    if n_frames <= most:
        return tuple(range(n_frames))
    return tuple(np.linspace(0, n_frames - 1, num=most, dtype=int).tolist())


def _language(name: str) -> str | None:
    return None if name.startswith((PROJECTOR, "model.vision_tower.")) else name


def _add_marks(tokenizer: Any, config: Mapping[str, Any], n_tokens: int) -> tuple[str, ...]:
    """Add the tokens that the original adds; return the two that images stand between, or none.

    :raises BackendError: when the model has no embeddings for them.
    """
    from transformers import AddedToken

    marks = ("<im_start>", "<im_end>") if config.get("mm_use_im_start_end", False) else ()
    # The original adds the first even where the checkpoint has no row for it, and draws one; it stands in no prompt.
    if config.get("mm_use_im_patch_token", True) and (marks or len(tokenizer) < n_tokens):
        tokenizer.add_tokens(["<im_patch>"], special_tokens=True)
    # The original's tokenizer takes the blanks around a mark away.
    tokenizer.add_tokens([AddedToken(mark, lstrip=True, rstrip=True) for mark in marks], special_tokens=True)
    if len(tokenizer) > n_tokens:
        raise BackendError(
            f"The tokenizer of {NAME} has {len(tokenizer)} tokens, and the model {n_tokens}. "
            "A file of the checkpoint is another model's."
        )
    return marks
