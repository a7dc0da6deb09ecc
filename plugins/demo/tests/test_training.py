"""The training that made the models can be run again: every stage, in little."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from anyanomaly_demo.options_clip import DemoClipOptions
from anyanomaly_demo.options_hf import DemoHfOptions
from anyanomaly_demo.with_torch import DemoClip, DemoHf

pytestmark = pytest.mark.engine

TRAIN = Path(__file__).parents[1] / "training" / "train.py"


def test_one_command_goes_from_nothing_to_models_that_load(tmp_path: Path) -> None:
    subprocess.run([sys.executable, TRAIN, "--quick", "--work", tmp_path], check=True, capture_output=True)
    models = tmp_path / "models"
    shipped = {"clip", "qwen2.5-vl", "readout.safetensors", "model-f16.gguf", "mmproj-f16.gguf"}
    assert {path.name for path in models.iterdir()} == shipped
    again = (
        f"from pathlib import Path; import ship; ship.begin(Path({str(models)!r}), Path({str(tmp_path / 'on.pt')!r}))"
    )
    subprocess.run([sys.executable, "-c", again], check=True, capture_output=True, cwd=TRAIN.parent)
    assert (tmp_path / "on.pt").stat().st_size > 3e6
    with DemoHf(DemoHfOptions(model=str(models / "qwen2.5-vl"), device="cpu")) as backend:
        assert backend.fingerprint
    with DemoClip(DemoClipOptions(model=str(models / "clip"), device="cpu")) as encoder:
        assert encoder.encode_texts(["bicycle"]).shape[0] == 1
