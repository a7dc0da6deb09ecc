"""Chat-UniVi: patch features of CLIP, merged, then projected by one linear layer to embeddings of LLaMA."""

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
    """A loaded Chat-UniVi: a `PrefixModel`.

    :raises AnyAnomalyError: when files are missing, incomplete, or of another model.
    """

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
        # The original loads the tower that the configuration names, and ignores a copy of it in the checkpoint.
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
        projector_weights = rename_tensors(tensors, lambda name: name.partition(PROJECTOR)[2] or None)
        load_weights(self.projector, projector_weights, label="the projector of images", device=device, dtype=dtype)
        self.tokenizer = read_tokenizer(folder)
        image_tokens = _add_special_tokens(self.tokenizer, config, language.vocab_size)
        if image_tokens:
            profile = replace(profile, image_open=image_tokens[0], image_close=image_tokens[1])
        self.profile = profile
        language_weights = rename_tensors(tensors, _language_name)
        self.language = load_language_model(LlamaForCausalLM, language, language_weights, options)
        if dtype == torch.float16:  # the original runs in half precision; this attention gives the same last bits
            self.language.set_attn_implementation(register_attention(LLAMA_ATTENTION))
        if len(self.tokenizer) < language.vocab_size:  # the original drops rows without a token
            self.language.resize_token_embeddings(len(self.tokenizer))

    def pieces(self, query: Query) -> Sequence[Sequence[int] | ImageSlot]:
        """Return the prompt: token ids, and one slot for all images."""
        frames = sample_frames(len(query.images), self._options.max_frames)
        return encode_layout(self.tokenizer, self.profile.layout(query, [ImageSlot(frames)] if frames else []))

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> Sequence[Sequence[Tensor]]:
        """Return the embeddings (n_tokens, hidden) of each group: an image, or the frames of a video.

        Each group passes the tower in a batch of its own: in a larger batch the last bits of its features change, and
        with them its merged tokens.
        """
        return [[self.projector(self.merge_features(self.encode_patches(group)).to(self._device))] for group in groups]

    def encode_patches(self, images: Sequence[Image]) -> Tensor:
        """Return the patch features (n, patches, width) of n images."""
        return self.tower(self.preprocess(images))

    def merge_features(self, features: Tensor) -> Tensor:
        """Return the merged tokens (n, width) of patch features (frames, patches, width)."""
        import torch

        seed = self._options.noise_seed
        noise = None if seed is None else torch.Generator().manual_seed(seed)
        return self.merging.merge_frames(features.cpu(), noise)

    def preprocess(self, images: Sequence[Image]) -> Tensor:
        """Return the tower's input (n, 3, side, side) for n images."""
        return pixel_values(self._processor, images)


def sample_frames(n_frames: int, max_frames: int) -> tuple[int, ...]:
    """Return indices of at most ``max_frames`` frames: all, or evenly spaced ones."""
    import numpy as np

    if n_frames <= max_frames:
        return tuple(range(n_frames))
    return tuple(np.linspace(0, n_frames - 1, num=max_frames, dtype=int).tolist())


def _language_name(name: str) -> str | None:
    """Return the name of a language model's tensor; None for a tensor of the image half."""
    return None if name.startswith((PROJECTOR, "model.vision_tower.")) else name


def _add_special_tokens(tokenizer: Any, config: Mapping[str, Any], n_rows: int) -> tuple[str, ...]:
    """Add the special tokens that the original adds; return those before and after an image, or none.

    :param n_rows: rows of the model's embedding table.
    :raises BackendError: when the tokenizer then has more tokens.
    """
    from transformers import AddedToken

    image_tokens = ("<im_start>", "<im_end>") if config.get("mm_use_im_start_end", False) else ()
    # The original adds <im_patch> even when the checkpoint has no row for it, and initialises one at random. No prompt
    # holds the token, so it is added only when the checkpoint has a row, or when other tokens follow it.
    if config.get("mm_use_im_patch_token", True) and (image_tokens or len(tokenizer) < n_rows):
        tokenizer.add_tokens(["<im_patch>"], special_tokens=True)
    # The original's tokenizer removes white space around these tokens.
    added_tokens = [AddedToken(token, lstrip=True, rstrip=True) for token in image_tokens]
    tokenizer.add_tokens(added_tokens, special_tokens=True)
    if len(tokenizer) > n_rows:
        raise BackendError(
            f"The tokenizer of {NAME} has {len(tokenizer)} tokens, but the model has embeddings for {n_rows}. "
            "A file of the checkpoint belongs to another model; download the checkpoint again."
        )
    return image_tokens
