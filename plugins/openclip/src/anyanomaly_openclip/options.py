"""Options of the open_clip encoder, and of others that run on its towers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from anyanomaly.api import Options


class TowerOptions(Options):
    """Where a model's towers run, and how."""

    model: str = Field(default="", description="Which weights.")
    device: str = Field(default="auto", description="auto, cuda, cuda:N, mps or cpu.")
    dtype: Literal["float32", "bfloat16", "float16"] = Field(default="float32", description="Precision.")
    batch_size: int = Field(default=0, ge=0, description="Crops per forward pass; 0: 16 on a CPU, 512 on a GPU.")
    normalize_windows: bool = Field(
        default=False, description="Apply the model's mean and std to windows too; the published code does not."
    )


class OpenClipOptions(TowerOptions):
    """Which model, where, and how."""

    model: str = Field(
        default="ViT-B-32-quickgelu",
        description="Model name, hf-hub:ORG/REPO, a folder with open_clip_config.json, or an OpenAI-layout file.",
    )
    pretrained: str = Field(default="openai", description="Tag of the weights of a named model, or a file of weights.")
    text_heads: int = Field(
        default=0, ge=0, description="Attention heads of an OpenAI-layout file's text tower; 0: its width / 64."
    )
