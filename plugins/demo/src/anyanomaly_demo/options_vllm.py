"""Options of the tiny Qwen2.5-VL in vLLM."""

from __future__ import annotations

from pathlib import Path

from anyanomaly_vllm.options import VllmOptions
from pydantic import Field

from anyanomaly_demo.model_paths import QWEN


class DemoVllmOptions(VllmOptions):
    """The options of the engine; the model is that of this plugin unless another is named."""

    model: str = Field("", description="folder of another model of this kind; empty: the model of this plugin")
    kv_cache_gib: float | None = Field(
        0.25, gt=0, description="GiB for the key-value cache; none: what memory_share leaves on a GPU, 2 on a CPU"
    )

    def named_files(self) -> list[Path]:
        """Return the files that the options name, and the model of this plugin where they name no other."""
        return [*super().named_files(), *([] if self.model else [QWEN])]
