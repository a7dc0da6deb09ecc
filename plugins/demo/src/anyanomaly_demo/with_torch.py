"""The tiny CLIP in open_clip and the tiny Qwen2.5-VL in transformers."""

from __future__ import annotations

from anyanomaly_openclip.encoder import OpenClipEncoder
from anyanomaly_transformers.api import TransformersBackend

from anyanomaly_demo.model_paths import CLIP, QWEN
from anyanomaly_demo.options_clip import DemoClipOptions
from anyanomaly_demo.options_hf import DemoHfOptions


class DemoClip(OpenClipEncoder):
    """Encoder ``demo-clip``."""

    def __init__(self, options: DemoClipOptions) -> None:
        super().__init__(options.model_copy(update={"model": options.model or str(CLIP)}))


class DemoHf(TransformersBackend):
    """Backend ``demo-hf``."""

    def __init__(self, options: DemoHfOptions) -> None:
        super().__init__(options.model_copy(update={"model": options.model or str(QWEN)}))
