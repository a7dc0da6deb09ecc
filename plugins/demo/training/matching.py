"""A head start for the language model: its first head begins as a match between words and what image tokens show.

A model that began with random weights said the prior for hundreds of steps, before it found that words and what
tokens show have to be compared. What the tower says of its tokens is known, so the comparison can be laid out.
"""

from __future__ import annotations

import math
from typing import Any

import tokens
import torch
from cells import N_CLASSES
from wording import NOTHING, WORDS

from anyanomaly.core.prompt import build_prompt

LARGE = 3.0
"""How much larger than all else the part is by which image tokens show what they are."""
AROUND = 60
"""Tokens of text, about, that a class word looks back on."""


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
def lay_out(model: Any, heads: Any, tokenizer: Any) -> None:
    """Let the first head of the first layer say at each class word what the tower's readout says of that class.

    Class words get a direction each. Image tokens get a large part along a direction that no readout looks at, so that
    the norm before the layer divides them all by about the same, and show by it what they are. What a class word's
    attention gives to the image, against what it leaves for the text around, is then the chance: a sigmoid of the
    log-sum-exp over tokens. The comparison is done in the dimensions that rotary positions turn least. The first head
    of the second layer hands what class words found on to all that follows.
    """
    readout, bias = heads.image.weight, heads.image.bias
    looked_at = torch.cat((readout, heads.cells.weight))
    blind = torch.linalg.svd(looked_at)[2][len(looked_at) :]  # directions that no readout looks at
    shown, chance, told, named = blind[0], blind[1], blind[2], blind[3 : 3 + N_CLASSES]
    last = model.model.visual.merger.mlp[2]
    size = LARGE * float(last.weight.norm(dim=1).norm())
    last.bias += shown * size
    embedding = model.get_input_embeddings().weight
    mean = embedding.norm(dim=1).mean()
    taken = torch.linalg.svd(torch.cat((readout, blind[: 3 + N_CLASSES])), full_matrices=False)[2]
    embedding -= embedding @ taken.T @ taken
    for direction, ids in zip(named, words_of(tokenizer), strict=True):
        rows = torch.tensor(sorted(ids))
        embedding[rows] += direction * embedding[rows].norm(dim=1, keepdim=True)
    for layer in model.model.language_model.layers:  # what is random must not drown what is laid out
        layer.self_attn.o_proj.weight *= 0.1
        layer.mlp.down_proj.weight *= 0.1
    attention, after = (model.model.language_model.layers[k].self_attn for k in range(2))
    width, wide = attention.head_dim, embedding.shape[1]
    half = width // 2
    at = torch.cat((torch.arange(half - N_CLASSES // 2, half), torch.arange(2 * half - N_CLASSES // 2, 2 * half)))
    # A word's part along its direction is (wide / 2) ** 0.5 after the norm, an image token is divided by its size.
    gain = (width / (wide / 2)) ** 0.5 * size / wide**0.5
    level = (bias + math.log(AROUND)) / size
    keys = gain * (readout + level[:, None] * shown)
    for linear, rows in ((attention.q_proj, named), (attention.k_proj, keys)):
        linear.weight[:width] = 0.0
        linear.bias[:width] = 0.0
        linear.weight[at] = rows
    attention.v_proj.weight[0] = shown / wide**0.5
    attention.v_proj.bias[0] = 0.0
    attention.o_proj.weight[:, 0] = chance * mean * 2
    after.q_proj.weight[:width] = after.k_proj.weight[:width] = 0.0
    after.q_proj.bias[:width] = after.k_proj.bias[:width] = 0.0
    after.q_proj.bias[half - 1] = 10.0
    after.k_proj.weight[half - 1] = named.sum(dim=0)
    after.v_proj.weight[0] = chance
    after.v_proj.bias[0] = 0.0
    after.o_proj.weight[:, 0] = told * mean * 0.2
