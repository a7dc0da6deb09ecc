"""The log-probability of each allowed answer, exactly, in two forward passes whatever the tokenizer.

The allowed answers form a trie over tokens. The first pass reads the prompt with its images and gives the
distribution of the first token. The second pass continues from its cache, one short row per longest inner path
of the trie (for ``0.0`` to ``1.0`` with a token per character: ``0 .`` and ``1 .``), and gives the distribution
after every inner node at once. The product along its path is the probability of an answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from anyanomaly.errors import BackendError

Tokens: TypeAlias = tuple[int, ...]


def inner_paths(answers: Sequence[Tokens]) -> list[Tokens]:
    """Return the longest inner paths of the trie of ``answers``, sorted: each inner node lies on one of them."""
    nodes = sorted({answer[:-1] for answer in answers})
    covered = {shorter for shorter, longer in pairwise(nodes) if longer[: len(shorter)] == shorter}
    return [node for node in nodes if node and node not in covered]


def choice_logprobs(model: Any, inputs: Any, answers: Sequence[Sequence[Tokens]]) -> list[list[float]]:
    """Return the natural-log probability of each of ``answers[i]`` after the prompt in row ``i`` of ``inputs``.

    Probabilities are of the whole token string, without an end mark, and before any penalty or temperature.

    :param inputs: the processor's tensors, padded on the left.
    :raises BackendError: when the model gives no numbers.
    """
    from transformers import GenerationConfig

    def decode(model: Any, input_ids: Any, **prepared: Any) -> list[list[float]]:
        # `generate` has prepared positions, masks and the cache as this architecture needs them.
        for unused in ("logits_processor", "stopping_criteria", "generation_config", "synced_gpus"):
            prepared.pop(unused, None)
        return _two_passes(model, input_ids, prepared, answers)

    config = GenerationConfig(max_new_tokens=1, do_sample=False, use_cache=True)
    result: list[list[float]] = model.generate(**inputs, generation_config=config, custom_generate=decode)
    return result


def _two_passes(
    model: Any, input_ids: Any, prepared: dict[str, Any], answers: Sequence[Sequence[Tokens]]
) -> list[list[float]]:
    first = model(**model.prepare_inputs_for_generation(input_ids, is_first_iteration=True, **prepared))
    root = first.logits[:, -1].float().log_softmax(dim=-1)
    paths = [(row, path) for row, choices in enumerate(answers) for path in inner_paths(choices)]
    inner = _continue(model, first, prepared, paths) if paths else None
    nodes = {
        (row, path[: length + 1]): (line, length)
        for line, (row, path) in enumerate(paths)
        for length in range(len(path))
    }
    first_steps = sorted({(row, answer[0]) for row, choices in enumerate(answers) for answer in choices})
    later_steps = sorted(
        {
            (*nodes[row, answer[:length]], answer[length])
            for row, choices in enumerate(answers)
            for answer in choices
            for length in range(1, len(answer))
        }
    )
    first_values = _pick(root, first_steps)
    later_values = _pick(inner, later_steps)
    return [
        [
            first_values[row, answer[0]]
            + sum(later_values[*nodes[row, answer[:length]], answer[length]] for length in range(1, len(answer)))
            for answer in choices
        ]
        for row, choices in enumerate(answers)
    ]


def _continue(model: Any, first: Any, prepared: dict[str, Any], paths: Sequence[tuple[int, Tokens]]) -> Any:
    """Return float32 (paths, longest path, vocabulary): log-probabilities after each token of each path."""
    import torch

    longest = max(len(path) for _, path in paths)
    # Short paths end in copies of their last token; what the model says there is not read.
    padded = [[*path, *([path[-1]] * (longest - len(path)))] for _, path in paths]
    device = first.logits.device
    ids = torch.tensor(padded, device=device)
    rows = torch.tensor([row for row, _ in paths], device=device)
    kept = {name: value for name, value in prepared.items() if name != "logits_to_keep"}
    kept = model._update_model_kwargs_for_generation(first, kept, num_new_tokens=longest)
    kept["past_key_values"].reorder_cache(rows)  # takes, repeats and leaves out rows, in every kind of cache
    for name in ("attention_mask", "position_ids", "token_type_ids", "mm_token_type_ids", "cross_attention_mask"):
        if (value := kept.get(name)) is not None:
            kept[name] = value.index_select(value.ndim - 2 if name == "position_ids" else 0, rows)
    steps = model.prepare_inputs_for_generation(ids, next_sequence_length=longest, is_first_iteration=False, **kept)
    return model(**steps).logits[:, -longest:].float().log_softmax(dim=-1)


def _pick(table: Any, indices: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], float]:
    """Return ``table``'s values at ``indices`` in one transfer."""
    if not indices:
        return {}
    values = table[tuple(zip(*indices, strict=True))].tolist()
    if any(math.isnan(value) for value in values):
        raise BackendError(
            "The model gives no numbers (NaN) for the allowed answers. "
            "Half precision may be too narrow for it: use --backend.dtype bfloat16 or float32."
        )
    return {index: min(value, 0.0) for index, value in zip(indices, values, strict=True)}
