"""Sizes that the tiny checkpoints share."""

from __future__ import annotations

from typing import Any

SCALE = 0.15  # standard deviation of the weights: large enough that images and words change the answer


def text_sizes(tokenizer: Any, **changes: Any) -> dict[str, Any]:
    """Return the configuration of a tiny text model, with ``changes``."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,  # 32 wide each: vLLM's attention on a CPU takes no narrower ones
        "num_key_value_heads": 1,
        "max_position_embeddings": 4096,
        "initializer_range": SCALE,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    } | changes


def vision_sizes(**changes: Any) -> dict[str, Any]:
    """Return the configuration of a tiny vision tower, with ``changes``."""
    return {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 56,
        "patch_size": 14,
        "initializer_range": SCALE,
    } | changes


def token_ids(tokenizer: Any, **tokens: str) -> dict[str, int]:
    """Return the id of each of ``tokens`` under its name with ``_id`` at the end."""
    return {f"{name}_id": tokenizer.convert_tokens_to_ids(token) for name, token in tokens.items()}
