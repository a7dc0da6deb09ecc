"""MiniGPT-4: the prompt around its images, and the images as embeddings."""

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
        first, *rest = encode_layout(self.tokenizer, [start, *layout[1:]])
        opened = [self.tokenizer(turn, add_special_tokens=False)["input_ids"] for turn in turns]
        begin = self.tokenizer.bos_token_id
        return [[*cast("list[int]", first), *(token for ids in opened for token in (begin, *ids))], *rest]

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> list[list[Tensor]]:
        """Return one tensor (64, hidden) per image."""
        return [[embeddings] for embeddings in self.tower([image for (image,) in groups])]
