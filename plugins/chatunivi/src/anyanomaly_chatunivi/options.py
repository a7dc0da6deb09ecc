"""Options of the backend ``chat-univi``; a preset is a subclass with other defaults."""

from __future__ import annotations

from typing import ClassVar

from anyanomaly_transformers.api import TowerOptions
from pydantic import Field

MODEL = "hub id or folder, in the original layout"


class ChatUniViOptions(TowerOptions):
    """Chat-UniVi 7B, the one that the paper ran."""

    published_tower: ClassVar[str] = "openai/clip-vit-large-patch14"
    model: str = Field("Chat-UniVi/Chat-UniVi", description=MODEL)
    max_frames: int = Field(64, ge=1, description="frames of a question that are looked at; of more, so many evenly")
    noise_seed: int | None = Field(
        None,
        ge=0,
        description="what the noise is drawn from that decides, as in the original, which of two tokens among equally "
        "dense ones leads; it starts anew with each image or video; none: no noise, the first leads",
    )


class ChatUniVi15Options(ChatUniViOptions):
    """Chat-UniVi 7B v1.5."""

    published_tower: ClassVar[str] = "openai/clip-vit-large-patch14-336"
    model: str = Field("Chat-UniVi/Chat-UniVi-7B-v1.5", description=MODEL)


class ChatUniVi13BOptions(ChatUniViOptions):
    """Chat-UniVi 13B."""

    model: str = Field("Chat-UniVi/Chat-UniVi-13B", description=MODEL)
