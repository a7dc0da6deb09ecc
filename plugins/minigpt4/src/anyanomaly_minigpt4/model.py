"""MiniGPT-4: token ids of a prompt, and embeddings of its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from anyanomaly_transformers.api import ImageSlot, Profile, encode_layout

from anyanomaly.types import Query

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class MiniGpt4:
    """A loaded MiniGPT-4: a `PrefixModel`."""

    language: Any
    tokenizer: Any
    profile: Profile
    files: Sequence[Path]
    tower: Any

    def pieces(self, query: Query) -> list[list[int] | ImageSlot]:
        """Return the prompt: token ids, and a slot for each image."""
        layout = self.profile.layout(query, [ImageSlot((index,)) for index in range(len(query.images))])
        # The original encodes the text after each <s> of LLaMA-2's conversation like a separate text.
        start, *turns = str(layout[0]).split("<s>")
        first_ids, *next_pieces = encode_layout(self.tokenizer, [start, *layout[1:]])
        turn_ids = [self.tokenizer(turn, add_special_tokens=False)["input_ids"] for turn in turns]
        bos = self.tokenizer.bos_token_id
        return [[*cast("list[int]", first_ids), *(token for ids in turn_ids for token in (bos, *ids))], *next_pieces]

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> list[list[Tensor]]:
        """Return the embeddings (64, hidden) of each image."""
        return [[embeddings] for embeddings in self.tower([image for (image,) in groups])]
