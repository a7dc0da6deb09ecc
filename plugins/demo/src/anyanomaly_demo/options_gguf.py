"""Options of the tiny Qwen2.5-VL over llama.cpp."""

from __future__ import annotations

from anyanomaly_llamacpp.options import GGUFOptions
from pydantic import Field


class DemoGGUFOptions(GGUFOptions):
    """Which weights: those that come with the plugin."""

    model: str = Field("", description="GGUF file of a model trained alike; empty: the one that comes with the plugin")
