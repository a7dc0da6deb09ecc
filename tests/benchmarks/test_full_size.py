"""Full-size checkpoints: what is written is what the backends read, and a row that cannot be measured says why."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks.checkpoints.files import Tensor, as_bytes, write_pickle, write_safetensors, write_shards

ROOT = Path(__file__).resolve().parents[2]
TENSORS = [
    Tensor("model.layers.0.mlp.weight", (48, 32), "BF16"),
    Tensor("model.norm.weight", (32,), "F32"),
    Tensor("model.projector.bias", (7,), "F16"),
    Tensor("model.table", (1, 5, 32), "F16"),
]


@pytest.fixture
def full_size(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Return the script as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "speed"))
    import full_size

    yield full_size
    for name in ("full_size", "machine", "results"):
        sys.modules.pop(name, None)


@pytest.mark.engine
@pytest.mark.parametrize("form", ["safetensors", "pickle", "shards", "pickled shards"])
def test_written_weights_are_read_back(tmp_path: Path, form: str) -> None:
    import torch
    from anyanomaly_transformers.prefix.checkpoint import Tensors

    path, inside = tmp_path, ()
    if form == "safetensors":
        path = tmp_path / "model.safetensors"
        write_safetensors(path, TENSORS)
    elif form == "pickle":
        path, inside = tmp_path / "deep.pth", ("model",)
        write_pickle(path, TENSORS, inside="model")
    else:
        write_shards(tmp_path, TENSORS, 3000, pickles=form == "pickled shards")
        assert len([file for file in tmp_path.iterdir() if "-of-00002" in file.name]) == 2
    tensors = Tensors(path, inside)
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {
        item.name: item.shape for item in TENSORS
    }
    assert [tensors[item.name].dtype for item in TENSORS] == [torch.bfloat16, torch.float32, *[torch.float16] * 2]
    matrix = tensors["model.layers.0.mlp.weight"].float()
    assert float(matrix.std()) == pytest.approx(32**-0.5, rel=0.1)
    assert len({tuple(row.tolist()) for row in matrix}) == 48
    assert torch.equal(tensors["model.norm.weight"], torch.ones(32))
    assert not tensors["model.projector.bias"].any()


def test_numbers_are_rounded_to_the_nearest_bfloat16() -> None:
    numbers = np.array([1.0, 1.0 + 2**-9, 1.0 + 3 * 2**-8, -3.14159], np.float32)
    bits = np.frombuffer(as_bytes(numbers, "BF16"), np.uint16).astype(np.uint32) << 16
    assert bits.view(np.float32).tolist() == [1.0, 1.0, 1.0 + 2**-6, -3.140625]


def test_too_small_a_disk_is_reported_before_anything_is_written(
    full_size: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = full_size.shutil.disk_usage(tmp_path)._replace(free=10**9)
    monkeypatch.setattr(full_size.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(full_size.RowError, match=r"MiniGPT-4 7B needs 16\.0 GB of disk .* and 1\.0 GB are free"):
        full_size.check_space(tmp_path, full_size.MODELS["minigpt4"], "full")
    full_size.check_space(tmp_path, full_size.MODELS["minigpt4"], "tiny")


def test_a_process_that_fails_is_reported_with_its_last_line(full_size: ModuleType, tmp_path: Path) -> None:
    model = full_size.MODELS["qwen-hf"]
    checkpoint = full_size.Checkpoint({"model": str(tmp_path / "nothing")}, 1, 1, 1, 1)
    with pytest.raises(full_size.RowError, match=r"transformers in bfloat16 ended early \(exit code 1\): .*nothing"):
        full_size.run_row(model, checkpoint, "bfloat16", (56, 56), 1, 2, 1.0)


def test_every_row_of_the_recipe_has_a_checkpoint(full_size: ModuleType) -> None:
    import tomllib

    recipe = tomllib.loads((ROOT / "benchmarks" / "recipes" / "table-s4.toml").read_text(encoding="utf-8"))
    assert {row["config"]["backend"] for row in recipe["backend"]} == set(full_size.MODELS)


@pytest.mark.engine
@pytest.mark.parametrize(("variant", "billions"), [("3b", 3.75), ("7b", 8.29)])
def test_published_sizes_have_the_published_number_of_weights(variant: str, billions: float) -> None:
    from benchmarks.checkpoints.models import qwen_config, qwen_tensors

    tensors = qwen_tensors(json.loads(json.dumps(qwen_config(variant, "full"))))
    assert sum(np.prod(tensor.shape) for tensor in tensors) / 1e9 == pytest.approx(billions, abs=0.01)
