"""Where the models are that come with the plugin."""

from __future__ import annotations

from pathlib import Path

MODELS = Path(__file__).parent / "models"
"""Folders ``clip`` (open_clip's layout) and ``qwen2.5-vl`` (transformers'), and GGUF files."""

CLIP = MODELS / "clip"
QWEN = MODELS / "qwen2.5-vl"
GGUF = MODELS / "model-f16.gguf"
