"""Options of the tiny Qwen2.5-VL in transformers."""

from __future__ import annotations

from pathlib import Path

from anyanomaly_transformers.api import TransformersOptions
from pydantic import Field

from anyanomaly_demo.places import QWEN


class DemoHfOptions(TransformersOptions):
    """Which weights: those that come with the plugin."""

    model: str = Field("", description="folder of a model trained alike; empty: the one that comes with the plugin")
    batch_size: int = Field(16, ge=1, description="queries in one forward pass")

    def named_files(self) -> list[Path]:
        """Return the files that the options name, and the model that comes with the plugin."""
        return [*super().named_files(), *([] if self.model else [QWEN])]
