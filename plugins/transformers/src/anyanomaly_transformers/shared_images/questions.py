"""Questions that continue from evaluated heads, as rows of one batch."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from anyanomaly_transformers.shared_images.heads import Head, replace_states

if TYPE_CHECKING:
    from torch import Tensor


class Row(NamedTuple):
    """A question."""

    head: Head
    tail: tuple[int, ...]  # tokens after the head, at least one


class Evaluated(NamedTuple):
    """A batch of prompts that the model has read."""

    output: Any  # of the model; its logits end with those of the next token
    arguments: dict[str, Any]  # for `_update_model_kwargs_for_generation` of the model, with which it goes on
    input_ids: Tensor  # (n_rows, longest prompt), padded on the left and between head and tail
    mask: Tensor  # (n_rows, longest prompt): 0 at padding


def evaluate_questions(model: Any, rows: Sequence[Row], pad_token: int) -> Evaluated:
    """Read the tails of prompts whose heads are evaluated, in one forward pass.

    :param rows: all of one head and with tails of one length, unless `can_join` says that heads can be joined.
    """
    import torch

    device = model.device
    n_head = max(len(row.head.tokens) for row in rows)
    n_tail = max(len(row.tail) for row in rows)
    ids, mask = [], []
    for head, tail in rows:
        padding = n_head - len(head.tokens), n_tail - len(tail)
        ids.append([*[pad_token] * padding[0], *head.tokens, *[pad_token] * padding[1], *tail])
        mask.append([*[0] * padding[0], *[1] * len(head.tokens), *[0] * padding[1], *[1] * len(tail)])
    input_ids = torch.tensor(ids, device=device)
    full_mask = torch.tensor(mask, device=device)
    offsets = (full_mask[:, n_head:].cumsum(dim=-1) - 1).clamp(min=0)  # of the tail's tokens, from its first
    next_positions = torch.cat([row.head.next_position for row in rows], dim=-2)
    arguments: dict[str, Any] = {
        "past_key_values": _join(rows, n_head),
        "attention_mask": None if full_mask.all() else full_mask,
        "position_ids": next_positions + offsets,
        "use_cache": True,
        **{name: torch.zeros_like(input_ids) for name in rows[0].head.token_types},
    }
    if model._supports_logits_to_keep():
        arguments["logits_to_keep"] = 1
    inputs = model.prepare_inputs_for_generation(
        input_ids, next_sequence_length=n_tail, is_first_iteration=False, **arguments
    )
    return Evaluated(model(**inputs), arguments, input_ids, full_mask)


def _join(rows: Sequence[Row], n_tokens: int) -> Any:
    """Return a cache with the heads of ``rows`` as its rows, padded on the left to ``n_tokens``.

    The heads stay as they are.
    """
    import torch
    from torch.nn.functional import pad

    heads = [row.head for row in rows]
    if all(head is heads[0] for head in heads):
        if all(hasattr(layer, "keys") for layer in heads[0].cache.layers):
            return replace_states(heads[0].cache, lambda state: state.expand(len(rows), -1, -1, -1))
        cache = copy.deepcopy(heads[0].cache)  # a recurrent state is changed in place
        cache.reorder_cache(torch.zeros(len(rows), dtype=torch.long))
        return cache
    layers = zip(*(head.cache.layers for head in heads), strict=True)
    joined = replace_states(heads[0].cache, lambda state: state)
    for layer, parts in zip(joined.layers, layers, strict=True):
        for name in ("keys", "values"):
            states = [getattr(part, name) for part in parts]
            padded = [pad(state, (0, 0, n_tokens - state.shape[-2], 0)) for state in states]
            setattr(layer, name, torch.cat(padded))
    return joined
