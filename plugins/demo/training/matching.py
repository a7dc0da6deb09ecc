"""A head start for the language model: its first head begins as a match between words and what image tokens show.

A model that began with random weights said the prior for hundreds of steps, before it found that words and what
tokens show have to be compared. What the tower says of its tokens is known, so the comparison can be laid out.
"""

from __future__ import annotations

from typing import Any

import tokens
import torch
from examples import N_CLASSES
from wording import NOTHING, WORDS

from anyanomaly.core.prompt import build_prompt


def words_of(tokenizer: Any) -> list[set[int]]:
    """Return for each class the ids of tokens that occur in its words, and in no other's nor in the questions."""
    every = [
        {i for word in words for i in tokenizer(f"**{word}** {word}")["input_ids"]}
        for words in (*WORDS.values(), NOTHING)
    ]
    asked = [build_prompt(template, "it", tokens.hint()) for template in tokens.templates().values()]
    every.append({i for question in asked for i in tokenizer(question)["input_ids"]})
    own = [mine - set().union(*(other for other in every if other is not mine)) for mine in every]
    return own[:N_CLASSES]


@torch.no_grad()
def lay_out(model: Any, cells: torch.nn.Linear, tokenizer: Any, gain: float = 0.7) -> None:
    """Let class words lie along the tower's readout of their class, and the first head of the first layer compare.

    The comparison is done in the dimensions that rotary positions turn least.
    """
    readout = cells.weight[:N_CLASSES]
    unit = readout / readout.norm(dim=1, keepdim=True)
    embedding = model.get_input_embeddings().weight
    for direction, ids in zip(unit, words_of(tokenizer), strict=True):
        rows = torch.tensor(sorted(ids))
        embedding[rows] += direction * embedding[rows].norm(dim=1, keepdim=True)
    attention = model.model.language_model.layers[0].self_attn
    half = attention.head_dim // 2
    at = torch.cat((torch.arange(half - N_CLASSES // 2, half), torch.arange(2 * half - N_CLASSES // 2, 2 * half)))
    for linear, rows in ((attention.q_proj, torch.linalg.pinv(unit).T), (attention.k_proj, gain * readout)):
        linear.weight[: attention.head_dim] = 0.0
        linear.bias[: attention.head_dim] = 0.0
        linear.weight[at] = rows
