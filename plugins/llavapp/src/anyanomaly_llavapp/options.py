"""Options of the backends ``llava-pp``, ``llava`` and ``video-chatgpt``."""

from __future__ import annotations

from anyanomaly_transformers.api import PrefixOptions
from pydantic import Field

TOWER = "CLIP that the images go through: hub id or folder; empty: the one that the checkpoint names"


class LlavaOptions(PrefixOptions):
    """LLaVA-1.5 7B."""

    model: str = Field("liuhaotian/llava-v1.5-7b", description="hub id or folder, in the original or the -hf layout")
    tower: str = Field("", description=TOWER)


class LlavaPpOptions(LlavaOptions):
    """LLaVA++ with LLaMA-3 8B, fully fine-tuned."""

    model: str = Field("MBZUAI/LLaVA-Meta-Llama-3-8B-Instruct-FT", description="hub id or folder")


class VideoChatGptOptions(PrefixOptions):
    """Video-ChatGPT 7B."""

    model: str = Field("mmaaz60/LLaVA-7B-Lightening-v1-1", description="the base model: hub id or folder")
    adapter: str = Field(
        "MBZUAI/Video-ChatGPT-7B", description="what was trained on videos: hub id, folder, or the file itself"
    )
    tower: str = Field("", description=TOWER)
