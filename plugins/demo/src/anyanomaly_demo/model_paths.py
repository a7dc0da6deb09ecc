"""Paths of the models that ship with the plugin."""

from __future__ import annotations

from pathlib import Path

MODELS = Path(__file__).parent / "models"
"""Holds the folders ``clip`` (open_clip format) and ``qwen2.5-vl`` (transformers format), and the GGUF files."""

CLIP = MODELS / "clip"
QWEN = MODELS / "qwen2.5-vl"
GGUF = MODELS / "model-f16.gguf"
