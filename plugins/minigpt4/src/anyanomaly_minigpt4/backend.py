"""The backend ``minigpt4``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from anyanomaly_transformers.faults import translated
from anyanomaly_transformers.loading import device_of, dtype_of
from anyanomaly_transformers.prefix.backend import PrefixBackend
from anyanomaly_transformers.prefix.checkpoint import Tensors
from anyanomaly_transformers.prefix.filling import load_language
from anyanomaly_transformers.prefix.language import chunk_ids
from anyanomaly_transformers.prefix.model import ImageSlot
from anyanomaly_transformers.prefix.profile import Decoding, Profile

from anyanomaly.types import Query
from anyanomaly_minigpt4.files import Parts, find_parts
from anyanomaly_minigpt4.options import MiniGPT4Options

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

SYSTEM = (
    "Give the following image: <Img>ImageContent</Img>. You will be able to see the image once I provide it to you. "
    "Please answer my questions."
)
PAPER = Profile(  # the published scorer speaks to the LLaMA-2 model as to the first Vicuna
    "paper",
    before=f"{SYSTEM}###Human: ",
    image_open="<Img>",
    image_close="</Img>",
    between=" ",
    after="###Assistant: ",
    decoding=Decoding(),
)
RECOMMENDED = replace(PAPER, name="recommended", before=f"{SYSTEM}<s>[INST] ", after=" [/INST] ", decoding=None)
PROFILES = {profile.name: profile for profile in (PAPER, RECOMMENDED)}


@dataclass(frozen=True, slots=True)
class MiniGPT4:
    """A loaded MiniGPT-4."""

    language: Any
    tokenizer: Any
    profile: Profile
    files: Sequence[Path]
    tower: Any

    def pieces(self, query: Query) -> list[list[int] | ImageSlot]:
        """Return the prompt's ids around its images; the beginning's mark stands before the first text alone."""
        layout = self.profile.layout(query, [ImageSlot((place,)) for place in range(len(query.images))])
        # What follows the mark in LLaMA-2's conversation starts, in the original, like a text of its own.
        start, *turns = str(layout[0]).split("<s>")
        first, *rest = chunk_ids(self.tokenizer, [start, *layout[1:]])
        opened = [self.tokenizer(turn, add_special_tokens=False)["input_ids"] for turn in turns]
        begin = self.tokenizer.bos_token_id
        return [[*cast("list[int]", first), *(token for ids in opened for token in (begin, *ids))], *rest]

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> list[list[Tensor]]:
        """Return one tensor (64, hidden) per image."""
        return [[embeddings] for embeddings in self.tower([image for (image,) in groups])]


class MiniGPT4Backend(PrefixBackend[MiniGPT4Options]):
    """MiniGPT-4 with LLaMA-2."""

    def load_model(self) -> MiniGPT4:
        """Load the three parts."""
        from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

        from anyanomaly_minigpt4.tower import load_tower

        options = self.options
        parts: Parts = find_parts(options)
        device = device_of(options.device)
        with translated(options.model):
            config = LlamaConfig.from_pretrained(parts.language)
            tokenizer = AutoTokenizer.from_pretrained(parts.language)
        dtype = dtype_of(options, device)
        tower = load_tower(parts.vision, parts.projection, config.hidden_size, device, dtype)
        language = load_language(LlamaForCausalLM, config, Tensors(parts.language), options)
        return MiniGPT4(language, tokenizer, PROFILES[options.profile], parts, tower)
