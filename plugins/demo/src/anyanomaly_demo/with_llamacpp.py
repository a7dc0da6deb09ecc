"""The tiny Qwen2.5-VL in llama.cpp."""

from __future__ import annotations

from anyanomaly_llamacpp.backend import GgufBackend

from anyanomaly_demo.model_paths import GGUF
from anyanomaly_demo.options_gguf import DemoGgufOptions


class DemoGguf(GgufBackend):
    """Backend ``demo-gguf``."""

    def __init__(self, options: DemoGgufOptions) -> None:
        super().__init__(options.model_copy(update={"model": options.model or str(GGUF)}))
