"""Options of the tiny Qwen2.5-VL in transformers."""

from __future__ import annotations

from pathlib import Path

from anyanomaly_transformers.api import TransformersOptions
from pydantic import Field

from anyanomaly_demo.model_paths import QWEN


class DemoHfOptions(TransformersOptions):
    """The options of the engine; the model is that of this plugin unless another is named."""

    model: str = Field("", description="folder of another model of this kind; empty: the model of this plugin")
    batch_size: int = Field(16, ge=1, le=65_536, description="queries in one forward pass")

    def named_files(self) -> list[Path]:
        """Return the files that the options name, and the model of this plugin where they name no other."""
        return [*super().named_files(), *([] if self.model else [QWEN])]
