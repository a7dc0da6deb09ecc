"""The tiny models that come with the plugin, in the engines that run any model."""

from __future__ import annotations

from pathlib import Path

from anyanomaly_openclip.encoder import OpenClipEncoder
from anyanomaly_transformers.backend import TransformersBackend

from anyanomaly_demo.options_clip import DemoClipOptions
from anyanomaly_demo.options_hf import DemoHfOptions

MODELS = Path(__file__).parent / "models"
"""Folders ``clip`` (open_clip's layout) and ``qwen2.5-vl`` (transformers'), and GGUF files."""


class DemoClip(OpenClipEncoder):
    """Encoder ``demo-clip``."""

    def __init__(self, options: DemoClipOptions) -> None:
        super().__init__(options.model_copy(update={"model": options.model or str(MODELS / "clip")}))


class DemoHf(TransformersBackend):
    """Backend ``demo-hf``."""

    def __init__(self, options: DemoHfOptions) -> None:
        super().__init__(options.model_copy(update={"model": options.model or str(MODELS / "qwen2.5-vl")}))
