"""Options of the tiny Qwen2.5-VL in llama.cpp."""

from __future__ import annotations

from pathlib import Path

from anyanomaly_llamacpp.options import GgufOptions
from pydantic import Field

from anyanomaly_demo.model_paths import GGUF


class DemoGgufOptions(GgufOptions):
    """The options of the engine; the model is that of this plugin unless another is named."""

    model: str = Field("", description="GGUF file of another model of this kind; empty: the model of this plugin")

    def named_files(self) -> list[Path]:
        """Return the files that the options name, and the model of this plugin where they name no other."""
        return [*super().named_files(), *([] if self.model else [GGUF])]
