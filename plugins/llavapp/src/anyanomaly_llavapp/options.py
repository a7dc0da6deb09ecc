"""Options of the backends ``llava-pp``, ``llava`` and ``video-chatgpt``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from anyanomaly_transformers.api import ClipTowerOptions
from pydantic import Field

from anyanomaly.api import Download
from anyanomaly.kit import hub_downloads


class LlavaOptions(ClipTowerOptions):
    """LLaVA-1.5 7B."""

    published_tower: ClassVar[str] = "openai/clip-vit-large-patch14-336"
    model: str = Field("liuhaotian/llava-v1.5-7b", description="hub id or folder, in the original or the -hf layout")


class LlavaPpOptions(LlavaOptions):
    """LLaVA++ with LLaMA-3 8B, fully fine-tuned."""

    model: str = Field("MBZUAI/LLaVA-Meta-Llama-3-8B-Instruct-FT", description="hub id or folder")


class VideoChatGptOptions(ClipTowerOptions):
    """Video-ChatGPT 7B."""

    published_tower: ClassVar[str] = "openai/clip-vit-large-patch14"
    model: str = Field("mmaaz60/LLaVA-7B-Lightening-v1-1", description="base model: hub id or folder")
    adapter: str = Field(
        "MBZUAI/Video-ChatGPT-7B", description="weights that were trained on videos: hub id, folder, or file"
    )

    def downloads(self) -> tuple[Download, ...]:
        """Return the weights of the base model, the CLIP and the adapter that are not on this machine."""
        sibling = Path(self.model).expanduser().parent / Path(self.adapter).name
        adapter = () if sibling.is_dir() else hub_downloads(self.adapter, option="adapter")
        return (*super().downloads(), *adapter)

    def _named_tower(self) -> str:
        folder = Path(self.model).expanduser()
        parents = (folder, folder.parent) if folder.is_dir() else ()
        return "" if any((parent / self.published_tower).is_dir() for parent in parents) else self.published_tower
