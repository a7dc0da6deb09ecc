"""Broken or wrong files: each gives a one-line error, and no code in them runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from anyanomaly.errors import AnyAnomalyError, MissingRequirement
from plugins.chatunivi.tests.conftest import CLIP, OWN, make_backend, oracle
from plugins.chatunivi.tests.test_backend import ask_about, edit

pytestmark = pytest.mark.engine
Copied = Callable[[], Path]


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch ran",)


def break_checkpoint(kind: str, folder: Path) -> None:
    """Change one thing in the checkpoint in ``folder``."""
    model, tower = folder / OWN, folder / CLIP
    parts = sorted(model.glob("pytorch_model-*.bin"))
    config = model / "config.json"
    if kind == "another model":
        edit(config, model_type="llava")
    elif kind == "no tower named":
        config.write_text(config.read_text().replace("mm_vision_tower", "old_vision_tower"))
    elif kind == "no merging":
        edit(config, config={"use_cluster": False})
    elif kind == "missing shard":
        parts[-1].unlink()
    elif kind == "truncated":
        parts[0].write_bytes(parts[0].read_bytes()[:100_000])
    elif kind == "truncated tower":
        (tower / "model.safetensors").write_bytes((tower / "model.safetensors").read_bytes()[:100_000])
    elif kind == "other sizes":
        edit(config, intermediate_size=192)
    elif kind == "other projector":
        edit(config, mm_hidden_size=32)
    elif kind == "code":
        torch.save({"model.norm.weight": Evil()}, parts[0])
    elif kind == "tower gone":
        (tower / "config.json").unlink()
    elif kind == "tower without weights":
        (tower / "model.safetensors").unlink()
    elif kind == "tower of another kind":
        edit(tower / "config.json", model_type="siglip")
    elif kind == "unknown tensor":
        torch.save(torch.load(parts[0], weights_only=True) | {"model.extra": torch.zeros(1)}, parts[0])
        index = model / "pytorch_model.bin.index.json"
        index.write_text(
            index.read_text().replace('"weight_map": {', f'"weight_map": {{"model.extra": "{parts[0].name}",')
        )


MESSAGES = {
    "another model": "a model of type 'llava', and not Chat-UniVi",
    "no tower named": "names no image tower",
    "no merging": "no settings for merged tokens",
    "missing shard": "lacks pytorch_model-00002-of-00002.bin",
    "truncated": "truncated or damaged",
    "truncated tower": "model.safetensors.*truncated or damaged",
    "other sizes": r"is \(160, 96\) in the file and \(192, 96\) by the configuration",
    "other projector": r"projector of images .*'weight' is \(96, 64\) in the file and \(96, 32\)",
    "code": "holds Python code",
    "tower gone": r"no config\.json",
    "tower without weights": "holds no weights",
    "tower of another kind": "is a 'siglip', and no CLIP",
    "unknown tensor": "hold 'model.extra'",
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_wrong_checkpoint_gives_a_one_line_error(
    kind: str, copy_checkpoint: Copied, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = copy_checkpoint()
    break_checkpoint(kind, folder)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AnyAnomalyError, match=MESSAGES[kind]) as caught:
        make_backend(folder).load()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_the_tower_is_the_one_that_the_configuration_names(copy_checkpoint: Copied) -> None:
    query = ask_about(oracle().query(oracle().items[2]).images[0])
    folder = copy_checkpoint()
    answers = []
    for scale in (1.0, 0.5):
        tower = folder / CLIP / "model.safetensors"
        save_file({name: value * scale for name, value in load_file(tower).items()}, tower)
        with make_backend(folder, profile="recommended") as backend:
            answers.append(backend.answer_batch([query])[0].logprobs)
    assert answers[1] != pytest.approx(answers[0], abs=1e-3)


def test_a_missing_tower_is_an_error_and_the_tower_option_fixes_it(
    copy_checkpoint: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_checkpoint()
    (folder / "openai").rename(folder / "elsewhere")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MissingRequirement, match=r"clip-vit-large-patch14.*hub"):
        make_backend(folder).load()
    make_backend(folder, tower=str(folder / "elsewhere" / "clip-vit-large-patch14")).load()
