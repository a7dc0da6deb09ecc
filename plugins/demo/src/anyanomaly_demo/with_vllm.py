"""The tiny Qwen2.5-VL in vLLM."""

from __future__ import annotations

from anyanomaly_vllm.backend import VllmBackend

from anyanomaly_demo.model_paths import QWEN
from anyanomaly_demo.options_vllm import DemoVllmOptions


class DemoVllm(VllmBackend):
    """Backend ``demo-vllm``."""

    def __init__(self, options: DemoVllmOptions) -> None:
        super().__init__(options.model_copy(update={"model": options.model or str(QWEN)}))
