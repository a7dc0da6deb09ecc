"""The interface of a model plugin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from anyanomaly.types import Query
from anyanomaly_transformers.prefix.profiles import Profile

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class ImageSlot:
    """Position of image embeddings in a prompt."""

    images: tuple[int, ...]  # indices in ``query.images`` of images encoded together: one, or the frames of a video
    part: int = 0  # index of the tensor that `PrefixModel.encode_images` returns for them: one slice of a large image


class PrefixModel(Protocol):
    """A loaded model: ``pieces`` applies its conversation, ``encode_images`` its image encoder and projector."""

    @property
    def language(self) -> Any:
        """Its causal language model of transformers, on its device; it reads embeddings in place of tokens."""
        ...

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        ...

    @property
    def profile(self) -> Profile:
        """Its conversation and decoding."""
        ...

    @property
    def files(self) -> Sequence[Path]:
        """The folders and files that it was read from; their digest identifies its weights."""
        ...

    def pieces(self, query: Query) -> Sequence[Sequence[int] | ImageSlot]:
        """Return the prompt up to where the answer starts: runs of token ids, and slots of images between them."""
        ...

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> Sequence[Sequence[Tensor]]:
        """Return the projected embeddings of each group of RGB images: one tensor (n_tokens, hidden) per part."""
        ...
