"""The log-probability of each allowed answer, exactly, in two forward passes whatever the tokenizer.

The allowed answers form a trie over tokens. The first pass reads the prompt with its images and gives the
distribution of the first token. The second pass continues from its cache, one short row per longest inner path
of the trie (for ``0.0`` to ``1.0`` with a token per character: ``0 .`` and ``1 .``), and gives the distribution
after every inner node at once. The product along its path is the probability of an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyanomaly.core.trie import Tokens, inner_paths, steps
from anyanomaly.kit import WIDER_PRECISION, answer_logprobs


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
    wanted = [
        (row, place, token)
        for row, choices in enumerate(answers)
        for place, tokens in steps(choices).items()
        for token in tokens
    ]
    after_prompt = [step for step in wanted if not step[1]]
    later = [step for step in wanted if step[1]]
    values = [
        *_pick(root, [(row, token) for row, _, token in after_prompt]),
        *_pick(inner, [(*nodes[row, place], token) for row, place, token in later]),
    ]
    found: list[dict[Tokens, dict[int, float]]] = [{} for _ in answers]
    for (row, place, token), value in zip([*after_prompt, *later], values, strict=True):
        found[row].setdefault(place, {})[token] = value
    return [answer_logprobs(choices, each, WIDER_PRECISION) for choices, each in zip(answers, found, strict=True)]


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
    inputs = model.prepare_inputs_for_generation(ids, next_sequence_length=longest, is_first_iteration=False, **kept)
    return model(**inputs).logits[:, -longest:].float().log_softmax(dim=-1)


def _pick(table: Any, indices: Sequence[tuple[int, ...]]) -> list[float]:
    """Return ``table``'s values at ``indices`` in one transfer."""
    if not indices:
        return []
    values: list[float] = table[tuple(zip(*indices, strict=True))].tolist()
    return values
