"""The backend ``minicpm-v``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from anyanomaly_transformers.faults import translated
from anyanomaly_transformers.loading import device_of, dtype_of
from anyanomaly_transformers.prefix.backend import PrefixBackend
from anyanomaly_transformers.prefix.checkpoint import Tensors
from anyanomaly_transformers.prefix.filling import build, fill, load_language, renamed
from anyanomaly_transformers.prefix.model import ImageSlot
from anyanomaly_transformers.prefix.profile import Decoding, Profile

from anyanomaly.types import Query
from anyanomaly_minicpm.checkpoint import Checkpoint, read_checkpoint
from anyanomaly_minicpm.options import MiniCPMOptions
from anyanomaly_minicpm.prompts import prompt_of, read_tokenizer
from anyanomaly_minicpm.views import View, views_of

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from anyanomaly_minicpm.vision import Strip, Vision

# The conversation is the checkpoint's chat template. What the original does without sampling is not greedy.
PROFILES = {
    "paper": Profile("paper", before="", after="", decoding=Decoding(num_beams=3, repetition_penalty=1.2)),
    "recommended": Profile("recommended", before="", after=""),
}


class MiniCPM:
    """A loaded MiniCPM-V."""

    def __init__(self, checkpoint: Checkpoint, options: MiniCPMOptions) -> None:
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

    def pieces(self, query: Query) -> Sequence[Sequence[int] | ImageSlot]:
        """Return the prompt: token ids, and a place per view of an image."""
        return prompt_of(self.tokenizer, self.checkpoint, query)

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> Sequence[Sequence[Tensor]]:
        """Return one tensor (queries, hidden) per view of each group of images; a group is one question's."""
        strips = [self.strips(group) for group in groups]
        flat = [strip for group in strips for strip in group]
        size = int(self.checkpoint.config.get("vision_batch_size", 16))
        seen = [row for start in range(0, len(flat), size) for row in self.vision(flat[start : start + size])]
        ends = accumulate((len(group) for group in strips), initial=0)
        return [seen[start:end] for start, end in pairwise(ends)]

    def strips(self, images: Sequence[Image]) -> list[Strip]:
        """Return the views of one question's images, as the tower reads them."""
        from anyanomaly_minicpm.vision import grids_of, rows_of

        views: list[View] = [view for image in images for view in views_of(image, self.checkpoint.slicing)]
        side = self.vision.vpm.embeddings.num_patches_per_side
        if self._by_grid:
            return grids_of(views, side)
        return rows_of(views, side, together=bool(self.checkpoint.config.get("batch_vision_input", True)))


def _load_language(checkpoint: Checkpoint, tensors: Mapping[str, Tensor], options: MiniCPMOptions) -> Any:
    import transformers

    name = checkpoint.version.language
    with translated(options.model):
        config = getattr(transformers, f"{name}Config")(**checkpoint.language)
    own = renamed(tensors, lambda key: key.removeprefix("llm.") if key.startswith("llm.") else None)
    model = load_language(getattr(transformers, f"{name}ForCausalLM"), config, own, options)
    model.set_attn_implementation("sdpa")  # as the original's own release of transformers, in float32 too
    return model


def _load_vision(checkpoint: Checkpoint, tensors: Mapping[str, Tensor], hidden: int, options: MiniCPMOptions) -> Vision:
    import torch
    from transformers import Idefics2VisionConfig

    from anyanomaly_minicpm.vision import Vision

    device = device_of(options.device)
    dtype = dtype_of(options, device)
    with translated(options.model):
        config = Idefics2VisionConfig(**checkpoint.tower)
        vision = build(partial(Vision, config, checkpoint.n_queries, hidden))
    own = renamed(tensors, lambda key: None if key.startswith("llm.") else key)
    fill(vision, own, what=f"the image half of {options.model!r}", device=device, dtype=dtype)
    # The original's own way in float32, for its numbers.
    vision.vpm.set_attn_implementation("eager" if dtype == torch.float32 else "sdpa")
    return vision


class MiniCPMBackend(PrefixBackend[MiniCPMOptions]):
    """MiniCPM-Llama3-V-2.5 and MiniCPM-V 2.6."""

    def load_model(self) -> MiniCPM:
        """Return the model that the options name."""
        return MiniCPM(read_checkpoint(self.options), self.options)

    @property
    def fingerprint(self) -> str:
        """What the base says, and where the tower sees patches if not where the original does."""
        places = self.options.positions
        return super().fingerprint if places == "published" else f"{super().fingerprint}+{places}"
