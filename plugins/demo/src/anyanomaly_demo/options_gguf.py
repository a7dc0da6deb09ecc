"""Options of the tiny Qwen2.5-VL over llama.cpp."""

from __future__ import annotations

from pathlib import Path

from anyanomaly_llamacpp.options import GgufOptions
from pydantic import Field

from anyanomaly_demo.places import GGUF


class DemoGGUFOptions(GgufOptions):
    """Which weights: those that come with the plugin."""

    model: str = Field("", description="GGUF file of a model trained alike; empty: the one that comes with the plugin")

    def named_files(self) -> list[Path]:
        """Return the files that the options name, and the model that comes with the plugin."""
        return [*super().named_files(), *([] if self.model else [GGUF])]
