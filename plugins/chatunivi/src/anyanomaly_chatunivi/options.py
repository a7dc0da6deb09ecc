"""Options of the backend ``chat-univi``; a preset is a subclass with other defaults."""

from __future__ import annotations

from anyanomaly_transformers.api import PrefixOptions
from pydantic import Field

MODEL = "hub id or folder, in the original layout"


class ChatUniViOptions(PrefixOptions):
    """Chat-UniVi 7B, the one that the paper ran."""

    model: str = Field("Chat-UniVi/Chat-UniVi", description=MODEL)
    tower: str = Field(
        "", description="CLIP that the images go through: hub id or folder; empty: the one that the checkpoint names"
    )
    max_frames: int = Field(64, ge=1, description="frames of a question that are looked at; of more, so many evenly")
    noise_seed: int | None = Field(
        None,
        ge=0,
        description="what the noise is drawn from that decides, as in the original, which of two tokens among equally "
        "dense ones leads; it starts anew with each image or video; none: no noise, the first leads",
    )


class ChatUniVi15Options(ChatUniViOptions):
    """Chat-UniVi 7B v1.5."""

    model: str = Field("Chat-UniVi/Chat-UniVi-7B-v1.5", description=MODEL)


class ChatUniVi13BOptions(ChatUniViOptions):
    """Chat-UniVi 13B."""

    model: str = Field("Chat-UniVi/Chat-UniVi-13B", description=MODEL)
