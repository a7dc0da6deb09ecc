"""The backend kit: names of weights, their downloads and their digests."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from anyanomaly.api import Download
from anyanomaly.errors import BackendError, MissingRequirement, UsageError
from anyanomaly.kit import (
    HubFile,
    HubModelOptions,
    file_digest,
    fingerprint,
    folder_digest,
    folder_or_hub_id,
    hub_downloads,
    hub_file,
    is_hub_id,
    model_identity,
    release,
    require_model,
    sampled_digest,
    weights_digest,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a small file of each kind that a digest reads."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "x"}')
    (folder / "notes.md").write_text("ignored")
    table = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [512], "data_offsets": [0, 2048]},
        "b": {"dtype": "F32", "shape": [2], "data_offsets": [2048, 2056]},
    }
    header = json.dumps(table).encode()
    content = len(header).to_bytes(8, "little") + header + bytes(range(256)) * 8 + b"12345678"
    (folder / "model.safetensors").write_bytes(content)
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
        archive.writestr("data.pkl", "tensors")
    return folder


def test_digests_stay_as_they_are_for_stored_answers_to_be_used(folder: Path, tmp_path: Path) -> None:
    assert folder_digest(folder) == "3f38e18fa92994debc9b6aca1fa4c456"
    assert file_digest(folder / "model.safetensors").startswith("c7b64b17011222af")
    assert file_digest(folder / "pytorch_model.bin").startswith("618e4093a0c26851")
    assert weights_digest([folder, folder / "pytorch_model.bin"]) == "0b3fd7ac6c1615716b8a44a030965e56"
    small, large = tmp_path / "small.gguf", tmp_path / "large.gguf"
    small.write_bytes(b"small")
    large.write_bytes(bytes(range(256)) * (5 * 4096))
    assert sampled_digest(small) == "3be7fa019ac06be29463c0134d352360"
    assert sampled_digest(large) == "2270c284c1d2d4e3333a3b58db387c00"
    with large.open("r+b") as file:
        file.seek(2_500_000)
        file.write(b"x" * 4096)
    assert sampled_digest(large) != "2270c284c1d2d4e3333a3b58db387c00"


def test_digests_follow_the_content_and_not_the_place(folder: Path, tmp_path: Path) -> None:
    before = folder_digest(folder)
    moved = folder.rename(tmp_path / "elsewhere")
    assert folder_digest(moved) == before
    (moved / "notes.md").write_text("changed")
    assert folder_digest(moved) == before
    path = moved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"9")
    assert folder_digest(moved) != before


@pytest.mark.parametrize("digest", [file_digest, sampled_digest])
def test_a_file_that_cannot_be_read_is_named(digest: object, tmp_path: Path) -> None:
    assert callable(digest)
    with pytest.raises(BackendError, match=r"'gone\.gguf' cannot be read"):
        digest(tmp_path / "gone.gguf")


def test_a_fingerprint_names_what_is_set(folder: Path) -> None:
    assert fingerprint("vllm", "a/b@c", dtype="float32", quantization="", vllm=release("0.32.1")) == (
        "vllm/a/b@c/dtype=float32/vllm=0.32"
    )
    assert model_identity("a/b", "c0ffee") == "a/b@c0ffee"
    assert model_identity(str(folder), "c0ffee") == folder_digest(folder)


@pytest.mark.parametrize(
    ("name", "hub"),
    [("a/b", True), ("./a", False), ("~/a", False), ("/a/b", False), ("a", False), ("a/b/c", False), ("a\\b/c", False)],
)
def test_which_names_are_hub_ids(name: str, hub: bool) -> None:
    assert is_hub_id(name) == hub
    assert bool(hub_downloads(name)) == hub


@pytest.mark.parametrize(
    ("name", "uses"),
    {
        "owner/name": [folder_or_hub_id, hub_downloads],
        "owner/name:file.gguf": [hub_file, hub_downloads],
    }.items(),
)
def test_a_path_here_never_stands_in_for_a_model_of_the_hub(
    name: str, uses: list[Callable[[str], object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir(parents=True)
    (tmp_path / name / "config.json").touch()
    for use in uses:
        with pytest.raises(UsageError, match=f"'{name}' is the name of a model, and there is .* here. Write ./{name}"):
            use(name)
    assert hub_downloads(f"./{name}") == ()
    assert hub_file(f"./{name}") is None
    assert folder_or_hub_id(f"./{name}") == folder_or_hub_id(str(tmp_path / name)) == str(tmp_path / name)


def test_a_folder_must_hold_a_model(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder_or_hub_id(str(folder)) == str(folder)
    assert folder_or_hub_id("a/b") == "a/b"
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"'\./owner/name' holds no config\.json"):
        folder_or_hub_id("./owner/name")
    assert folder_or_hub_id("./owner/name", needs="") == str(tmp_path / "owner" / "name")
    with pytest.raises(MissingRequirement, match=r"no model folder '\./gone'.*hub id such as"):
        folder_or_hub_id("./gone")
    with pytest.raises(UsageError, match=r"Backend 'x' needs a model\. Use --backend\.model with a file, .* qwen-x\."):
        require_model("", backend="x", example="a file", preset="qwen-x")


def test_downloads_are_declared_for_hub_names_alone(tmp_path: Path) -> None:
    assert HubModelOptions().downloads() == ()
    assert HubModelOptions(model=str(tmp_path)).downloads() == ()
    assert HubModelOptions(model="a/b", revision="v2").downloads() == (Download("a/b", "v2"),)
    assert hub_downloads("a/b:c/d.gguf", "", "mmproj") == (Download("a/b", "main", "c/d.gguf", "mmproj"),)
    assert hub_file("a/b:d.gguf") == HubFile("a/b", "d.gguf")
    assert hub_file("a/b") is None


def test_no_library_waits_for_a_pipe_in_a_folder_of_weights(folder: Path) -> None:
    os.mkfifo(folder / "tokenizer.json")
    for name in (str(folder), str(folder / "tokenizer.json")):
        with pytest.raises(UsageError, match=r"tokenizer\.json is a pipe or a device\. Remove it\."):
            folder_or_hub_id(name)
