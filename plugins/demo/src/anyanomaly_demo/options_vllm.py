"""Options of the tiny Qwen2.5-VL in vLLM."""

from __future__ import annotations

from anyanomaly_vllm.options import VllmOptions
from pydantic import Field


class DemoVllmOptions(VllmOptions):
    """Which weights: those that come with the plugin."""

    model: str = Field("", description="folder of a model trained alike; empty: the one that comes with the plugin")
