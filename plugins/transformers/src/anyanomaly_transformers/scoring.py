"""The exact log-probability of each allowed answer, in two forward passes with any tokenizer.

The allowed answers form a trie of tokens. The first pass is the prefill: it reads the prompt with its images and gives
the distribution of the first token. The second pass continues from its key-value cache, with one short row per longest
inner path of the trie (for ``0.0`` to ``1.0`` with a token per character: ``0 .`` and ``1 .``), and gives the
distributions after all inner nodes. The product along its path is the probability of an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyanomaly.core.trie import Tokens, inner_paths, steps
from anyanomaly.kit import WIDER_PRECISION, answer_logprobs


def choice_logprobs(model: Any, inputs: Any, answers: Sequence[Sequence[Tokens]]) -> list[list[float]]:
    """Return the natural-log probability of each of ``answers[i]`` after the prompt in row ``i`` of ``inputs``.

    Probabilities are those of the answer's tokens, without an end token, penalty or temperature.

    :param inputs: the processor's tensors, padded on the left.
    :param answers: per row, the tokens of each allowed answer.
    :returns: per row, one value per answer, at most 0.
    :raises BackendError: when the model gives NaN.
    """
    from transformers import GenerationConfig

    def decode(model: Any, input_ids: Any, **prepared: Any) -> list[list[float]]:
        # `generate` has prepared positions, masks and the cache as this architecture needs them.
        for unused in ("logits_processor", "stopping_criteria", "generation_config", "synced_gpus"):
            prepared.pop(unused, None)
        first = model(**model.prepare_inputs_for_generation(input_ids, is_first_iteration=True, **prepared))
        return continue_with_choices(model, first, prepared, answers)

    config = GenerationConfig(max_new_tokens=1, do_sample=False, use_cache=True)
    result: list[list[float]] = model.generate(**inputs, generation_config=config, custom_generate=decode)
    return result


def continue_with_choices(
    model: Any, first: Any, prepared: dict[str, Any], answers: Sequence[Sequence[Tokens]]
) -> list[list[float]]:
    """Return what `choice_logprobs` returns, after a prompt that the model has read.

    :param first: output of the pass that read the prompt's end. :param prepared: its arguments, but for its tokens.
    :raises BackendError: when the model gives NaN.
    """
    root = first.logits[:, -1].float().log_softmax(dim=-1)
    paths = [(row, path) for row, choices in enumerate(answers) for path in inner_paths(choices)]
    inner = _continue(model, first, prepared, paths) if paths else None
    nodes = {  # where the second pass gives the distribution after a prefix: its line, and the position in it
        (row, path[: length + 1]): (line, length)
        for line, (row, path) in enumerate(paths)
        for length in range(len(path))
    }
    lookups = [
        (row, prefix, token)
        for row, choices in enumerate(answers)
        for prefix, tokens in steps(choices).items()
        for token in tokens
    ]
    first_tokens = [lookup for lookup in lookups if not lookup[1]]
    next_tokens = [lookup for lookup in lookups if lookup[1]]
    values = [
        *_pick(root, [(row, token) for row, _, token in first_tokens]),
        *_pick(inner, [(*nodes[row, prefix], token) for row, prefix, token in next_tokens]),
    ]
    logprobs: list[dict[Tokens, dict[int, float]]] = [{} for _ in answers]
    for (row, prefix, token), value in zip([*first_tokens, *next_tokens], values, strict=True):
        logprobs[row].setdefault(prefix, {})[token] = value
    return [answer_logprobs(*pair, WIDER_PRECISION) for pair in zip(answers, logprobs, strict=True)]


def _continue(model: Any, first: Any, prepared: dict[str, Any], paths: Sequence[tuple[int, Tokens]]) -> Any:
    """Return float32 (n_paths, longest path, vocabulary): log-probabilities after each token of each path.

    :param first: output of the prefill. :param prepared: its arguments. :param paths: row of the batch, and tokens.
    """
    import torch

    longest = max(len(path) for _, path in paths)
    # Copies of the last token pad short paths; what the model gives there is not used.
    padded = [[*path, *([path[-1]] * (longest - len(path)))] for _, path in paths]
    device = first.logits.device
    ids = torch.tensor(padded, device=device)
    rows = torch.tensor([row for row, _ in paths], device=device)
    arguments = {name: value for name, value in prepared.items() if name != "logits_to_keep"}
    arguments = model._update_model_kwargs_for_generation(first, arguments, num_new_tokens=longest)
    arguments["past_key_values"].reorder_cache(rows)  # picks, repeats and drops rows, in every kind of cache
    for name in ("attention_mask", "position_ids", "token_type_ids", "mm_token_type_ids", "cross_attention_mask"):
        if (value := arguments.get(name)) is not None:
            arguments[name] = value.index_select(value.ndim - 2 if name == "position_ids" else 0, rows)
    inputs = model.prepare_inputs_for_generation(
        ids, next_sequence_length=longest, is_first_iteration=False, **arguments
    )
    return model(**inputs).logits[:, -longest:].float().log_softmax(dim=-1)


def _pick(table: Any, indices: Sequence[tuple[int, ...]]) -> list[float]:
    """Return the values of ``table`` at ``indices``, in one transfer from the device."""
    if not indices:
        return []
    values: list[float] = table[tuple(zip(*indices, strict=True))].tolist()
    return values
