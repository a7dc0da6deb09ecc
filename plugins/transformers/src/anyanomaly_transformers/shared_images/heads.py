"""Heads of prompts, evaluated: their keys and values, from which any question about the same images continues."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anyanomaly_transformers.shared_images.prompts import HeadKey

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = 2**28  # of the heads that are kept: of a 3B model in float32 some 3,600 tokens

ARCHITECTURES = frozenset(
    {
        *("qwen2_5_vl", "qwen3_vl", "qwen3_5", "glm4v", "glm46v", "internvl", "idefics3", "smolvlm", "llava"),
        *("gemma3", "gemma4", "lfm2_vl", "minicpmv4_6"),
    }
)
"""Model types for which the tests compare a question that continues from a head with one evaluated as a whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """An evaluated head."""

    tokens: tuple[int, ...]
    n_image_tokens: int
    cache: Any  # of transformers, with one row; nobody changes it
    next_position: Tensor  # (1, 1) or (axes, 1, 1): position ids of the token after it
    token_types: tuple[str, ...]  # names of further inputs with a number per token, 0 for text
    n_bytes: int


class HeadStore:
    """The heads that were used last, up to `MAX_BYTES`."""

    def __init__(self) -> None:
        self._heads: OrderedDict[HeadKey, Head] = OrderedDict()

    def __contains__(self, key: HeadKey) -> bool:
        return key in self._heads

    def get(self, key: HeadKey) -> Head | None:
        """Return a head, which becomes the last one used; None: it is not kept."""
        if key in self._heads:
            self._heads.move_to_end(key)
        return self._heads.get(key)

    def add(self, key: HeadKey, head: Head) -> None:
        """Keep a head, and remove those that were not used for longest."""
        self._heads[key] = head
        while self._heads and sum(kept.n_bytes for kept in self._heads.values()) > MAX_BYTES:
            self._heads.popitem(last=False)

    def clear(self) -> None:
        """Remove all heads."""
        self._heads.clear()


def can_share(model: Any) -> bool:
    """Return whether questions can continue from a head of this model."""
    return model.config.model_type in ARCHITECTURES and getattr(model.config, "image_token_id", None) is not None


def can_join(model: Any) -> bool:
    """Return whether heads of different lengths can be rows of one batch.

    A recurrent state and a window of the last tokens cannot be padded.
    """
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    return all(type(layer) is DynamicLayer for layer in cache.layers)


def split_row(inputs: Mapping[str, Any], row: int, image_token: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the tokens of a row's head and tail, without padding.

    :param inputs: the processor's tensors of a batch.
    """
    n_padding = int((inputs["attention_mask"][row] == 0).sum())
    tokens = inputs["input_ids"][row, n_padding:].tolist()
    n_head = len(tokens) - tokens[::-1].index(image_token)
    return tuple(tokens[:n_head]), tuple(tokens[n_head:])


def cut_tails(inputs: Mapping[str, Any], n_tail_tokens: Sequence[int], pad_token: int) -> dict[str, Any]:
    """Return the processor's tensors of a batch without the tails of its rows, padded on the left again.

    :param n_tail_tokens: per row.
    """
    import torch

    shape = inputs["input_ids"].shape
    n_shortest_tail = min(n_tail_tokens)
    cut: dict[str, Any] = {}
    for name, value in inputs.items():
        if not isinstance(value, torch.Tensor) or value.shape != shape:
            cut[name] = value
            continue
        padding = pad_token if name == "input_ids" else 0
        rows = []
        for row, n_tokens in zip(value, n_tail_tokens, strict=True):
            n_shift = n_tokens - n_shortest_tail
            rows.append(torch.cat([row.new_full((n_shift,), padding), row[: shape[1] - n_tokens]]))
        cut[name] = torch.stack(rows)
    first = int(cut["attention_mask"].any(dim=0).int().argmax())  # columns that are padding in all rows
    return {
        name: value[:, first:] if isinstance(value, torch.Tensor) and value.shape == cut["input_ids"].shape else value
        for name, value in cut.items()
    }


def evaluate_heads(model: Any, inputs: Mapping[str, Any]) -> list[Head]:
    """Evaluate heads in one forward pass.

    :param inputs: tensors of `cut_tails`, on the model's device; more than one row where `can_join` says so.
    """
    from transformers import GenerationConfig

    def evaluate(model: Any, input_ids: Tensor, **prepared: Any) -> list[Head]:
        # `generate` has prepared positions, masks and the cache as this architecture needs them.
        for unused in ("logits_processor", "stopping_criteria", "generation_config", "synced_gpus"):
            prepared.pop(unused, None)
        output = model(**model.prepare_inputs_for_generation(input_ids, is_first_iteration=True, **prepared))
        mask = prepared.get("attention_mask")
        return [
            _read_head(model, output.past_key_values, input_ids, prepared, row, 0 if mask is None else mask[row])
            for row in range(len(input_ids))
        ]

    config = GenerationConfig(max_new_tokens=1, do_sample=False, use_cache=True)
    heads: list[Head] = model.generate(**inputs, generation_config=config, custom_generate=evaluate)
    return heads


def _read_head(model: Any, cache: Any, input_ids: Tensor, prepared: Mapping[str, Any], row: int, mask: Any) -> Head:
    n_padding = 0 if isinstance(mask, int) else int((mask == 0).sum())
    if len(input_ids) > 1:
        cache = replace_states(cache, lambda state: state[row : row + 1, :, n_padding:])
    tokens = tuple(input_ids[row, n_padding:].tolist())
    positions = prepared["position_ids"]
    positions = positions[..., row : row + 1, n_padding:] if positions.shape[-2] > 1 else positions[..., n_padding:]
    return Head(
        tokens=tokens,
        n_image_tokens=tokens.count(model.config.image_token_id),
        cache=cache,
        next_position=_next_position(positions),
        token_types=tuple(name for name in ("token_type_ids", "mm_token_type_ids") if prepared.get(name) is not None),
        n_bytes=sum(state.nbytes for state in _states(cache)),
    )


def _next_position(positions: Tensor) -> Tensor:
    """Return the position ids of the token after ``positions``, (axes, 1, n_tokens) or (1, n_tokens).

    An image's tokens have a time, a row and a column; the text behind it starts after the largest of these. Where there
    are four axes, the first counts tokens.
    """
    import torch

    if positions.ndim == 2:
        return positions[:, -1:] + 1
    n_counts = len(positions) % 3
    counts, places = positions[:n_counts, :, -1:] + 1, positions[n_counts:]
    return torch.cat([counts, places.amax().expand(len(places), 1, 1) + 1])


def replace_states(cache: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return a cache of attention layers with other keys and values; ``cache`` stays as it is."""
    changed = copy.copy(cache)
    changed.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in changed.layers:
        layer.keys, layer.values = change(layer.keys), change(layer.values)
    return changed


def _states(cache: Any) -> Iterator[Tensor]:
    """Yield all tensors of a cache."""
    import torch

    for layer in cache.layers:
        for value in vars(layer).values():
            yield from (part for part in _parts(value) if isinstance(part, torch.Tensor))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else (value,)
