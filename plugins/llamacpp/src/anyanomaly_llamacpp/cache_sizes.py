"""Memory of a context, from the metadata of a model's file: keys and values per token, and recurrent states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

MAX_LAYERS = 10_000
HALF, SINGLE = 2, 4  # bytes of a number: keys and values are stored in half precision, recurrent states in single


class CacheSizes(NamedTuple):
    """Bytes of one token's keys and values, and of one sequence's recurrent state; 0: the model has none."""

    token_bytes: int
    state_bytes: int


def read_cache_sizes(header: Mapping[str, Any]) -> CacheSizes:
    """Return the sizes for the model that ``header`` describes; never less than llama.cpp allocates.

    Layers that share keys and values, or have smaller heads, count as the others.

    :raises ValueError: for a number of layers that no model has.
    """
    architecture = header.get("general.architecture")

    def value(name: str, default: Any = 0) -> Any:
        return header.get(f"{architecture}.{name}", default)

    n_layers, width = value("block_count"), value("embedding_length")
    if not 0 < n_layers <= MAX_LAYERS:
        raise ValueError(f"{n_layers} layers")
    heads = _per_layer(value("attention.head_count", 1), n_layers)
    kv_heads = _per_layer(value("attention.head_count_kv", heads), n_layers)
    head_width = width // max(1, *heads)
    is_recurrent = _recurrent_layers(value, kv_heads)
    numbers = value("attention.key_length", head_width) + value("attention.value_length", head_width)
    n_kv_heads = sum(count for count, recurrent in zip(kv_heads, is_recurrent, strict=True) if not recurrent)
    inner = value("ssm.inner_size")
    convolution = max(value("ssm.conv_kernel") - 1, 0) * (
        inner + 2 * value("ssm.group_count") * value("ssm.state_size")
    )
    state = value("ssm.state_size") * inner + convolution + max(value("shortconv.l_cache") - 1, 0) * width
    return CacheSizes(HALF * n_kv_heads * numbers, SINGLE * sum(is_recurrent) * state)


def _recurrent_layers(value: Any, kv_heads: list[int]) -> list[bool]:
    """Return for each layer whether it has a recurrent state in place of keys and values."""
    if flags := value("attention.recurrent_layers", []):
        return [bool(flag) for flag in flags[: len(kv_heads)]]
    if value("ssm.inner_size") and (interval := value("full_attention_interval", 4)):
        return [bool((layer + 1) % interval) for layer in range(len(kv_heads))]
    return [count == 0 for count in kv_heads]


def _per_layer(value: int | list[int], n_layers: int) -> list[int]:
    return value if isinstance(value, list) else [value] * n_layers
