"""Initial weights for the language model: its first head matches the words of a class with image tokens that show it.

From random weights the model answered the prior for hundreds of steps, before it learned to compare words and image
tokens. The tower's readout of image tokens is known, so the comparison can be written into the weights.
"""

from __future__ import annotations

import math
from typing import Any

import tiny_tokenizer
import torch
from event_texts import NO_EVENTS, WORDS
from token_targets import N_CLASSES

from anyanomaly.core.prompt import build_prompt

SCALE = 3.0
"""Size of the constant part of image tokens, as a multiple of their other parts."""
N_TEXT_TOKENS = 60
"""Approximate number of text tokens to which a class word can attend."""


def class_token_ids(tokenizer: Any) -> list[set[int]]:
    """Return for each class the ids of tokens that occur only in its words: in no other class and no question."""
    token_sets = [
        {i for word in words for i in tokenizer(f"**{word}** {word}")["input_ids"]}
        for words in (*WORDS.values(), NO_EVENTS)
    ]
    questions = [
        build_prompt(template, "it", tiny_tokenizer.read_hint())
        for template in tiny_tokenizer.read_templates().values()
    ]
    token_sets.append({i for question in questions for i in tokenizer(question)["input_ids"]})
    unique = [ids - set().union(*(token_set for token_set in token_sets if token_set is not ids)) for ids in token_sets]
    return unique[:N_CLASSES]


@torch.no_grad()
def initialise_attention(model: Any, heads: Any, tokenizer: Any) -> None:
    """Set the first head of the first layer to compute, at each class word, the tower's readout of that class.

    1. Each class gets a direction of its own in the embedding of its words.
    2. Image tokens get a large constant part along a direction that no readout uses. The norm before the layer then
       divides all of them by about the same number, and their values carry the constant.
    3. The attention of a class word to the image, against the text around it, is the probability: a sigmoid of the
       log-sum-exp over tokens. The comparison uses the dimensions that the rotary position embedding turns least.
    4. The first head of the second layer copies the result from the class words to all later tokens.
    """
    readout, bias = heads.image.weight, heads.image.bias
    readouts = torch.cat((readout, heads.cells.weight))
    unused = torch.linalg.svd(readouts)[2][len(readouts) :]  # directions that no readout uses
    constant, probability, copy, names = unused[0], unused[1], unused[2], unused[3 : 3 + N_CLASSES]
    last = model.model.visual.merger.mlp[2]
    size = SCALE * float(last.weight.norm(dim=1).norm())
    last.bias += constant * size
    embedding = model.get_input_embeddings().weight
    mean = embedding.norm(dim=1).mean()
    reserved = torch.linalg.svd(torch.cat((readout, unused[: 3 + N_CLASSES])), full_matrices=False)[2]
    embedding -= embedding @ reserved.T @ reserved
    for direction, ids in zip(names, class_token_ids(tokenizer), strict=True):
        rows = torch.tensor(sorted(ids))
        embedding[rows] += direction * embedding[rows].norm(dim=1, keepdim=True)
    for layer in model.model.language_model.layers:  # random outputs must stay smaller than the constructed ones
        layer.self_attn.o_proj.weight *= 0.1
        layer.mlp.down_proj.weight *= 0.1
    attention, second = (model.model.language_model.layers[k].self_attn for k in range(2))
    width, wide = attention.head_dim, embedding.shape[1]
    half = width // 2
    slow = torch.cat((torch.arange(half - N_CLASSES // 2, half), torch.arange(2 * half - N_CLASSES // 2, 2 * half)))
    # After the norm, a word's part along its direction is (wide / 2) ** 0.5; an image token is divided by its size.
    gain = (width / (wide / 2)) ** 0.5 * size / wide**0.5
    level = (bias + math.log(N_TEXT_TOKENS)) / size
    keys = gain * (readout + level[:, None] * constant)
    for linear, rows in ((attention.q_proj, names), (attention.k_proj, keys)):
        linear.weight[:width] = 0.0
        linear.bias[:width] = 0.0
        linear.weight[slow] = rows
    attention.v_proj.weight[0] = constant / wide**0.5
    attention.v_proj.bias[0] = 0.0
    attention.o_proj.weight[:, 0] = probability * mean * 2
    second.q_proj.weight[:width] = second.k_proj.weight[:width] = 0.0
    second.q_proj.bias[:width] = second.k_proj.bias[:width] = 0.0
    second.q_proj.bias[half - 1] = 10.0
    second.k_proj.weight[half - 1] = names.sum(dim=0)
    second.v_proj.weight[0] = probability
    second.v_proj.bias[0] = 0.0
    second.o_proj.weight[:, 0] = copy * mean * 0.2
