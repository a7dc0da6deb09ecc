"""Options of the backend ``chat-univi``; a preset is a subclass with other defaults."""

from __future__ import annotations

from typing import ClassVar

from anyanomaly_transformers.api import ClipTowerOptions
from pydantic import Field

MODEL = "hub id or folder, in the original layout"


class ChatUniViOptions(ClipTowerOptions):
    """Chat-UniVi 7B, the model of the paper."""

    published_tower: ClassVar[str] = "openai/clip-vit-large-patch14"
    model: str = Field("Chat-UniVi/Chat-UniVi", description=MODEL)
    max_frames: int = Field(
        64, ge=1, description="most images of a question that are used; of more images, this many evenly spaced ones"
    )
    noise_seed: int | None = Field(
        None,
        ge=0,
        description="seed of the noise that, as in the original, decides between tokens of equal density when tokens "
        "are merged; each image or video starts from the seed again; none: no noise, the first token is taken",
    )


class ChatUniVi15Options(ChatUniViOptions):
    """Chat-UniVi 7B v1.5."""

    published_tower: ClassVar[str] = "openai/clip-vit-large-patch14-336"
    model: str = Field("Chat-UniVi/Chat-UniVi-7B-v1.5", description=MODEL)


class ChatUniVi13BOptions(ChatUniViOptions):
    """Chat-UniVi 13B."""

    model: str = Field("Chat-UniVi/Chat-UniVi-13B", description=MODEL)
