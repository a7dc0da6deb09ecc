"""Options name the shipped models where they name no other, so that a bench notices when those change."""

from __future__ import annotations

from pathlib import Path

from anyanomaly_demo.model_paths import CLIP, GGUF, QWEN
from anyanomaly_demo.options_clip import DemoClipOptions
from anyanomaly_demo.options_gguf import DemoGgufOptions
from anyanomaly_demo.options_hf import DemoHfOptions


def test_a_named_model_replaces_the_shipped_one(tmp_path: Path) -> None:
    assert DemoClipOptions().named_files() == [CLIP]
    assert DemoHfOptions().named_files() == [QWEN]
    assert DemoGgufOptions().named_files() == [GGUF]
    assert DemoClipOptions(model=str(tmp_path)).named_files() == [tmp_path]
