"""Checkpoints in their original layouts: complete and strict reading, and a one-line error for each failure."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from anyanomaly_transformers.prefix import checkpoint
from anyanomaly_transformers.prefix.checkpoint import Tensors, find_checkpoint, read_config
from anyanomaly_transformers.prefix.loading import build_empty, load_weights, rename_tensors
from safetensors.torch import save_file
from torch import nn

from anyanomaly.errors import AnyAnomalyError, BackendError, MissingRequirement, UsageError

pytestmark = pytest.mark.engine
VALUES = {"one.weight": torch.arange(6.0).reshape(2, 3), "two.weight": torch.ones(4), "three": torch.zeros(2, 2)}


def save(values: dict[str, torch.Tensor], path: Path) -> None:
    if path.suffix == ".safetensors":
        save_file(values, path)
    else:
        torch.save(values, path)


def write(folder: Path, layout: str) -> Path:
    """Write VALUES in one of the layouts of the hub."""
    file_name, form = layout.split()
    if form == "complete":
        save(VALUES, folder / file_name)
        return folder
    stem, suffix = file_name.rsplit(".", 1)
    names = list(VALUES)
    parts = {f"{stem}-00001-of-00002.{suffix}": names[:1], f"{stem}-00002-of-00002.{suffix}": names[1:]}
    for part, part_names in parts.items():
        save({name: VALUES[name] for name in part_names}, folder / part)
    index = {"weight_map": {name: part for part, part_names in parts.items() for name in part_names}}
    (folder / f"{file_name}.index.json").write_text(json.dumps(index))
    return folder


LAYOUTS = [f"{file} {form}" for file in ("model.safetensors", "pytorch_model.bin") for form in ("complete", "parts")]


def holds_values(read: Tensors) -> bool:
    return set(read) == set(VALUES) and all(torch.equal(read[name], VALUES[name]) for name in VALUES)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_read(tmp_path: Path, layout: str) -> None:
    assert holds_values(Tensors(write(tmp_path, layout)))


def mapped_bytes() -> int:
    """Return the resident pages of mapped files of this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssFile:")[2].split()[0]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux tells the memory of mapped files")
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_tensors_that_are_converted_leave_no_mapped_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(checkpoint, "REMAP_BYTES", 2**22)
    values = {f"{number}": torch.full((2**19,), float(number)) for number in range(32)}  # 64 MiB
    save(values, tmp_path / name)
    tensors = Tensors(tmp_path)
    before = mapped_bytes()
    halves = {key: tensors[key].half() for key in tensors}
    assert mapped_bytes() - before < 2**24
    assert all(torch.equal(halves[key], values[key].half()) for key in values)


def test_tensors_are_read_from_several_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "REMAP_BYTES", 2**12)
    values = {f"{number}": torch.full((2**10,), float(number)) for number in range(64)}
    save(values, tmp_path / "model.safetensors")
    tensors = Tensors(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda key: torch.equal(tensors[key], values[key]), [*values] * 8))
    assert all(results)


def test_one_file_with_nested_tables_is_read_in_both_pickle_formats(tmp_path: Path) -> None:
    torch.save({"model": VALUES, "epoch": 3}, tmp_path / "deep.pth")
    torch.save(VALUES, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert holds_values(Tensors(tmp_path / "deep.pth", inside=("model",)))
    assert holds_values(Tensors(tmp_path / "old.pth"))
    with pytest.raises(UsageError, match=r"'deep\.pth' has no entry 'state'"):
        Tensors(tmp_path / "deep.pth", inside=("state",))
    with pytest.raises(UsageError, match=r"'deep\.pth' holds other values than tensors"):
        Tensors(tmp_path / "deep.pth")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_truncated_checkpoint_is_an_error(tmp_path: Path, layout: str) -> None:
    write(tmp_path, layout)
    broken = sorted(path for path in tmp_path.iterdir() if path.suffix != ".json")[-1]
    truncate(broken)
    with pytest.raises(BackendError, match=rf"{broken.name}.*truncated or damaged"):
        holds_values(Tensors(tmp_path))


def test_a_truncated_old_pickle_is_an_error(tmp_path: Path) -> None:
    torch.save(VALUES, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    truncate(tmp_path / "old.pth")
    with pytest.raises(BackendError, match="truncated or damaged"):
        Tensors(tmp_path / "old.pth")


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if "parts" in layout])
def test_a_missing_part_is_named(tmp_path: Path, layout: str) -> None:
    write(tmp_path, layout)
    missing = sorted(path for path in tmp_path.iterdir() if path.suffix != ".json")[-1]
    missing.unlink()
    with pytest.raises(MissingRequirement, match=f"lacks {missing.name}"):
        Tensors(tmp_path)


def test_a_part_without_a_tensor_of_the_index_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "model.safetensors parts")
    save_file({"two.weight": VALUES["two.weight"]}, tmp_path / "model-00002-of-00002.safetensors")
    with pytest.raises(BackendError, match=r"lacks the tensor 'three'"):
        holds_values(Tensors(tmp_path))


class Code:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (os.environ["PREFIX_TEST_TRACE"],)


@pytest.mark.parametrize("new_format", [True, False])
def test_code_in_a_pickle_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_format: bool
) -> None:
    trace = tmp_path / "trace"
    monkeypatch.setenv("PREFIX_TEST_TRACE", str(trace))
    torch.save(VALUES | {"bad": Code()}, tmp_path / "bad.pth", _use_new_zipfile_serialization=new_format)
    with pytest.raises(BackendError, match="holds Python code"):
        Tensors(tmp_path / "bad.pth")
    assert not trace.exists()


def test_folders_without_weights_or_with_another_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingRequirement, match="holds no weights"):
        Tensors(tmp_path)
    with pytest.raises(MissingRequirement, match="There is no file"):
        Tensors(tmp_path / "not_there.pth")
    with pytest.raises(UsageError, match=r"holds no config\.json"):
        read_config(tmp_path, {"llava"}, "LLaVA")
    (tmp_path / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    with pytest.raises(UsageError, match="a model of type 'qwen2_5_vl', and not LLaVA, whose type is 'llava'"):
        read_config(tmp_path, {"llava"}, "LLaVA")
    (tmp_path / "config.json").write_text('{"model_type": ')
    with pytest.raises(BackendError, match="no readable JSON"):
        read_config(tmp_path, {"llava"}, "LLaVA")
    (tmp_path / "pytorch_model.bin.index.json").write_text("{}")
    with pytest.raises(BackendError, match="names no weights"):
        Tensors(tmp_path)


def test_a_missing_model_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_checkpoint(str(tmp_path)) == tmp_path
    for name, error, says in (
        ("", UsageError, "--backend.model"),
        ("./not/there", MissingRequirement, "no model folder"),
        ("/not/there", MissingRequirement, "no model folder"),
    ):
        with pytest.raises(error, match=says):
            find_checkpoint(name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(AnyAnomalyError, match="owner/not-there"):
        find_checkpoint("owner/not-there")


def test_a_hub_model_that_was_downloaded_is_found_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "a" * 40
    snapshot = tmp_path / "models--owner--name" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    refs = tmp_path / "models--owner--name" / "refs"
    refs.mkdir()
    (refs / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert find_checkpoint("owner/name") == snapshot


class TwoLayers(nn.Module):
    """Two layers that may share their weight, and a buffer that no checkpoint holds."""

    def __init__(self, tied: bool = False) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3, bias=False)
        self.register_buffer("steps", torch.zeros(2, dtype=torch.long))
        self.register_buffer("table", torch.arange(3.0), persistent=False)
        if tied:
            self.second.weight = self.first.weight


def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "first.weight": torch.randn(3, 3),
        "first.bias": torch.randn(3),
        "second.weight": torch.randn(3, 3),
        "steps": torch.tensor([4, 5]),
    }


def test_a_module_gets_exactly_its_tensors() -> None:
    module, tensors = build_empty(TwoLayers), weights()
    load_weights(module, tensors, label="the tower")
    assert all(torch.equal(module.state_dict()[name], tensors[name]) for name in tensors)
    assert torch.equal(module.get_buffer("table"), torch.arange(3.0))
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_a_module_gets_the_requested_precision() -> None:
    module = build_empty(TwoLayers)
    load_weights(module, weights(), label="the tower", dtype=torch.bfloat16)
    assert {tensor.dtype for tensor in module.state_dict().values()} == {torch.bfloat16, torch.long}


def test_tied_weights_stay_tied() -> None:
    module, tensors = build_empty(lambda: TwoLayers(tied=True)), weights()
    del tensors["second.weight"]
    load_weights(module, tensors, label="the tower")
    assert module.second.weight is module.first.weight
    assert torch.equal(module.second.weight, tensors["first.weight"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"third.weight": torch.ones(1)}, "the tower hold 'third.weight', which it does not have"),
        ({"first.bias": None}, "the tower lack 'first.bias'"),
        ({"first.bias": None, "second.weight": None}, "lack 'first.bias' and 1 more"),
        ({"second.weight": torch.ones(3, 4)}, r"'second.weight' is \(3, 4\) in the file and \(3, 3\) by the config"),
    ],
)
def test_wrong_tensors_are_an_error_and_change_nothing(change: dict[str, torch.Tensor | None], says: str) -> None:
    tensors = {name: tensor for name, tensor in (weights() | change).items() if tensor is not None}
    module = TwoLayers()
    before = module.first.weight.clone()
    with pytest.raises(BackendError, match=says):
        load_weights(module, tensors, label="the tower")
    assert torch.equal(module.first.weight, before)


def test_tensors_are_renamed_or_dropped() -> None:
    mapped = rename_tensors(VALUES, lambda name: None if name == "three" else f"model.{name}")
    assert set(mapped) == {"model.one.weight", "model.two.weight"}
