"""Training can be repeated: every script of ``training/`` that a user can call runs here, at its smallest size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from anyanomaly_demo.options_clip import DemoClipOptions
from anyanomaly_demo.options_hf import DemoHfOptions
from anyanomaly_demo.with_torch import DemoClip, DemoHf

from plugins.demo.training import export_gguf

TRAINING = Path(__file__).parents[1] / "training"
SCRIPTS = {"train.py", "export_gguf.py"}


def run_python(*arguments: str | Path) -> str:
    """Run Python in the folder of the scripts and return its output; a failure shows the error output."""
    process = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=TRAINING)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_every_script_is_run_by_a_test() -> None:
    callable_scripts = {path.name for path in TRAINING.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert callable_scripts == SCRIPTS


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of a quick training."""
    folder = tmp_path_factory.mktemp("work")
    run_python("train.py", "--quick", "--work", folder)
    return folder


@pytest.mark.engine
def test_training_writes_models_that_load(work: Path) -> None:
    models = work / "models"
    shipped = {"clip", "qwen2.5-vl", "readout.safetensors", "model-f16.gguf", "mmproj-f16.gguf"}
    assert {path.name for path in models.iterdir()} == shipped
    with DemoHf(DemoHfOptions(model=str(models / "qwen2.5-vl"), device="cpu")) as backend:
        assert backend.fingerprint
    with DemoClip(DemoClipOptions(model=str(models / "clip"), device="cpu")) as encoder:
        assert encoder.encode_texts(["bicycle"]).shape[0] == 1


@pytest.mark.engine
def test_exported_models_can_be_trained_further(work: Path, tmp_path: Path) -> None:
    models, checkpoint = work / "models", tmp_path / "tower.pt"
    code = "import sys; from pathlib import Path; from export_models import write_tower_checkpoint as write"
    run_python("-c", f"{code}; write(*map(Path, sys.argv[1:]))", models, checkpoint)
    assert checkpoint.stat().st_size > 3e6


@pytest.mark.engine
def test_the_gguf_script_exports_a_trained_model(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(work / "models" / "qwen2.5-vl"), str(tmp_path), "--dtype", "f16"]
    monkeypatch.setattr(sys, "argv", ["export_gguf.py", *arguments])
    export_gguf.main()  # in this process: a new one takes seconds to import transformers
    printed = capsys.readouterr().out
    for name in ("model-f16.gguf", "mmproj-f16.gguf"):
        assert name in printed
        assert (tmp_path / name).read_bytes() == (work / "models" / name).read_bytes()
