"""The models that come with the plugin are named where no other is, so that a bench sees them change."""

from __future__ import annotations

from pathlib import Path

from anyanomaly_demo.options_clip import DemoClipOptions
from anyanomaly_demo.options_gguf import DemoGGUFOptions
from anyanomaly_demo.options_hf import DemoHfOptions
from anyanomaly_demo.places import CLIP, GGUF, QWEN


def test_an_own_model_takes_the_place_of_the_one_that_comes_along(tmp_path: Path) -> None:
    assert DemoClipOptions().named_files() == [CLIP]
    assert DemoHfOptions().named_files() == [QWEN]
    assert DemoGGUFOptions().named_files() == [GGUF]
    assert DemoClipOptions(model=str(tmp_path)).named_files() == [tmp_path]
