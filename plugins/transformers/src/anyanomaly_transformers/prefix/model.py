"""What a model plugin gives the backend."""

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
    """Where embeddings of images stand in a prompt."""

    images: tuple[int, ...]  # places in ``query.images`` of what is encoded together: one image, or a video's frames
    part: int = 0  # which of the tensors that `PrefixModel.encode_images` gives for them: a slice of a large image


class PrefixModel(Protocol):
    """A loaded model: encoder and projector behind ``encode_images``, conversation behind ``pieces``."""

    @property
    def language(self) -> Any:
        """A causal LM of transformers on its device; embeddings take the place of tokens."""
        ...

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        ...

    @property
    def profile(self) -> Profile:
        """How it is spoken to."""
        ...

    @property
    def files(self) -> Sequence[Path]:
        """The folders and files that it was read from: what identifies its weights."""
        ...

    def pieces(self, query: Query) -> Sequence[Sequence[int] | ImageSlot]:
        """Return the prompt, up to where the answer starts: token ids, and the places of the images between them."""
        ...

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> Sequence[Sequence[Tensor]]:
        """Return the embeddings of each group of RGB images: one tensor (n_tokens, hidden), projected, per part."""
        ...
