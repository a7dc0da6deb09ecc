"""Attention of older releases of transformers: equal to that of the installed release up to the last bits."""

from __future__ import annotations

import pytest
import torch
from anyanomaly_transformers.prefix.attention import CLIP_ATTENTION, LLAMA_ATTENTION, register_attention
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("groups", [1, 2])
def test_attention_over_a_padded_batch_equals_the_installed_release(groups: int) -> None:
    torch.manual_seed(1)
    config = LlamaConfig(
        hidden_size=48,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4 // groups,
        vocab_size=32,
        initializer_range=0.2,
    )
    model = LlamaForCausalLM(config).eval()
    batch = {"input_ids": torch.arange(16).reshape(2, 8), "attention_mask": torch.ones(2, 8, dtype=torch.long)}
    batch["attention_mask"][0, :3] = 0
    logits = []
    for name in ("eager", register_attention(LLAMA_ATTENTION)):
        model.set_attn_implementation(name)
        with torch.no_grad():
            logits.append(model(**batch).logits[:, 3:])
    torch.testing.assert_close(logits[1], logits[0], rtol=0, atol=1e-5)
    assert not torch.equal(logits[1], logits[0])  # a width of 12 has no exact root


def test_half_precision_sums_equal_the_installed_release() -> None:
    torch.manual_seed(1)
    sizes = {"hidden_size": 64, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(**sizes, vocab_size=32, initializer_range=0.2)).half().eval()
    logits = []
    for name in ("eager", register_attention(LLAMA_ATTENTION)):
        model.set_attn_implementation(name)
        with torch.no_grad():
            logits.append(model(torch.arange(16)[None]).logits)
    assert torch.equal(logits[1], logits[0])  # a width of 16 has an exact root


def test_attention_of_the_image_tower_equals_the_installed_release() -> None:
    torch.manual_seed(1)
    sizes = {"hidden_size": 48, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = CLIPVisionModel(CLIPVisionConfig(**sizes, image_size=28, patch_size=7)).eval()
    states = []
    for name in ("eager", register_attention(CLIP_ATTENTION)):
        model.set_attn_implementation(name)
        with torch.no_grad():
            states.append(model(torch.rand(2, 3, 28, 28, generator=torch.Generator().manual_seed(1))).last_hidden_state)
    torch.testing.assert_close(states[1], states[0], rtol=0, atol=1e-5)
    assert not torch.equal(states[1], states[0])
