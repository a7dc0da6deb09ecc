"""Options of the backend ``minigpt4``."""

from __future__ import annotations

from anyanomaly_transformers.api import PrefixOptions
from pydantic import Field


class MiniGpt4Options(PrefixOptions):
    """Locations of the three parts of the model, and the options of all models with an image prefix."""

    model: str = Field(
        "meta-llama/Llama-2-7b-chat-hf",
        description="hub id or folder of the LLaMA-2 chat model, or a folder with all three parts",
    )
    vision: str = Field("", description="file of the EVA image tower; empty: eva_vit_g.pth in or beside the folder")
    projection: str = Field(
        "",
        description="file of MiniGPT-4's checkpoint; empty: pretrained_minigpt4_llama2_7b.pth in or beside the folder",
    )
