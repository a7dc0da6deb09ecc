"""A language model gets its weights from the tensors of a checkpoint, whatever the layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from anyanomaly_transformers.prefix.checkpoint import Tensors
from anyanomaly_transformers.prefix.loading import load_language_model
from anyanomaly_transformers.prefix.options import PrefixOptions
from transformers import LlamaConfig, LlamaForCausalLM

from anyanomaly.errors import BackendError

SMALL = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}


def llama(folder: Path, **more: object) -> tuple[LlamaConfig, LlamaForCausalLM]:
    config = LlamaConfig(vocab_size=32, **SMALL, **more)
    model = LlamaForCausalLM(config).eval()
    model.save_pretrained(folder)
    return config, model


@pytest.mark.parametrize("tied", [False, True])
def test_a_language_model_is_loaded_from_its_tensors(tmp_path: Path, tied: bool) -> None:
    config, model = llama(tmp_path, tie_word_embeddings=tied)
    old = dict(Tensors(tmp_path)) | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
    loaded = load_language_model(LlamaForCausalLM, config, old, PrefixOptions(device="cpu"))
    model.set_attn_implementation("eager")
    ids = torch.arange(8)[None]
    with torch.no_grad():
        torch.testing.assert_close(loaded(ids).logits, model(ids).logits, rtol=0, atol=1e-6)
    half = load_language_model(
        LlamaForCausalLM, config, Tensors(tmp_path), PrefixOptions(device="cpu", dtype="float16")
    )
    assert {parameter.dtype for parameter in half.parameters()} == {torch.float16}


def test_an_incomplete_language_model_is_an_error(tmp_path: Path) -> None:
    config, _ = llama(tmp_path)
    tensors = dict(Tensors(tmp_path))
    options = PrefixOptions(model="here", device="cpu")
    weight = tensors.pop("model.layers.1.mlp.up_proj.weight")
    with pytest.raises(BackendError, match=r"language model of 'here' lack 'model\.layers\.1\.mlp\.up_proj\.weight'"):
        load_language_model(LlamaForCausalLM, config, tensors, options)
    tensors["model.layers.1.mlp.up_proj.weight"] = weight[:, :8]
    with pytest.raises(BackendError, match=r"is \(24, 8\) in the file and \(24, 16\) by the configuration"):
        load_language_model(LlamaForCausalLM, config, tensors, options)


def test_loading_a_language_model_leaves_the_folder_alone(tmp_path: Path) -> None:
    """A loaded model maps its files into memory; a change of its weights must not reach the files."""
    config, _ = llama(tmp_path)
    backup = shutil.copytree(tmp_path, tmp_path.with_name("backup"))
    model = load_language_model(LlamaForCausalLM, config, Tensors(tmp_path), PrefixOptions(device="cpu"))
    with torch.no_grad():
        model.model.norm.weight.mul_(2)
    assert (backup / "model.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()
