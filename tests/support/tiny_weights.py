"""Random weights that answer: scores and yes or no are likely, and how likely each is depends on the image."""

from __future__ import annotations

from typing import Any

from anyanomaly.core.expected import SCORES, YES_NO

GAIN = 1.2  # of each matrix: outputs are this much larger than inputs
NOISE = 0.1  # standard deviation of what vectors differ by from how they start
INPUT, OUTPUT, NORM = 1.0, 2.0, 6.0  # components of a token's rows that make the next token of an answer likely
PLACES = 4  # of tokens in an answer
WRITERS = ("o_proj.weight", "out_proj.weight", "down_proj.weight", "w2.weight", "per_layer_projection.weight")
SMOOTH = (
    0.2  # of InternVL's position embeddings, since llama.cpp shifts them by one patch: as in trained models, little
)
DECAY = -3.0  # logarithm of the rate at which a delta-net layer forgets: slow, so that it remembers the image


def draw_weights(model: Any, tokenizer: Any, seed: int) -> None:
    """Draw the matrices of ``model`` anew, and make its answers likely. Torch's random stream changes."""
    import torch

    torch.manual_seed(seed)
    inputs, outputs = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.ndim > 1:
                torch.nn.init.normal_(weights, std=GAIN / weights[0].numel() ** 0.5)
            elif weights.ndim == 1:  # weights of norms, and biases
                weights.add_(torch.randn_like(weights), alpha=NOISE)
            if name.endswith(WRITERS) and len(weights) == inputs.shape[1]:
                weights[:PLACES] = 0.0  # the first components of a hidden state are those of its token
            if name.endswith("position_embeddings"):
                weights *= SMOOTH
            if name.endswith(".A_log"):
                weights.fill_(DECAY)
        decoder = model.get_decoder()
        norm = decoder.embedding_norm if hasattr(decoder, "embedding_norm") else decoder.norm
        scale = getattr(model.get_input_embeddings(), "scalar_embed_scale", 1.0)  # of Gemma
        norm.weight[:PLACES] += NORM * scale * (1.5 if inputs is outputs else 1.0)  # some add one to it
        _favour_answers(inputs, outputs, tokenizer, scale)
        for weights in model.parameters():
            weights.copy_(weights.bfloat16())  # no engine rounds them, in single or half precision


def _favour_answers(inputs: Any, outputs: Any, tokenizer: Any, scale: float) -> None:
    """Make the tokens of answers likely, in their order where input and output rows are different tables.

    A token at place ``n`` of an answer has a large component ``n`` in its output row and ``n + 1`` in its input row;
    all other tokens say ``0``, the beginning, in their input rows.
    """
    inputs[:, :PLACES] = 0.0
    inputs[:, 0] = INPUT / scale
    for answer in (*SCORES, *YES_NO):
        for place, token in enumerate(tokenizer(answer, add_special_tokens=False).input_ids):
            if inputs is outputs:
                inputs[token, 0] = OUTPUT / scale
            else:
                inputs[token, place + 1] = INPUT
                outputs[token, place] = OUTPUT
