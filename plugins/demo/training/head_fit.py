"""Fits the output matrix (lm_head) of the language model, so that its answers are calibrated.

The layers below stay as they are, so this is a small problem, solved in a minute. First the probabilities of the
tower's readout are calibrated on labels in the proportions of the dataset, by one scale and a shift per class; then
the output matrix is fitted to these probabilities.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tiny_tokenizer
import torch
from draw_scenes import CLASS_NAMES
from language_model import (
    AuxiliaryHeads,
    BatchOutput,
    BatchSource,
    build_model,
    print_evaluation,
    run_batch,
    tenths_distribution,
)
from questions import YES_NO, Batch, QuestionEncoder
from token_targets import N_CLASSES
from torch.nn import functional

Pair = tuple[BatchOutput, Batch]


@torch.no_grad()
def collect(
    model: Any, encoder: QuestionEncoder, source: BatchSource, rng: np.random.Generator, n_rounds: int
) -> list[Pair]:
    """Return ``n_rounds`` items of ``source``, each batch with the model's output."""
    batches = source(rng)
    return [(run_batch(model, encoder, batch, rng), batch) for _ in range(n_rounds) for batch in next(batches)]


def minimise(parameters: list[torch.Tensor], objective: Any, steps: int) -> float:
    """Minimise ``objective()`` by L-BFGS and return its last value."""
    optimiser = torch.optim.LBFGS(parameters, max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value: torch.Tensor = objective()
        value.backward()
        return value

    optimiser.step(closure)
    with torch.no_grad():
        return float(objective())


def calibrate(
    probabilities: torch.Tensor, classes: torch.Tensor, y: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Return ``probabilities`` (n,) fitted to the labels ``y`` (n,): log-odds with one scale and a shift per class."""
    log_odds = probabilities.clamp(1e-4, 1 - 1e-4).logit()
    scale, shift = torch.ones(1, requires_grad=True), torch.zeros(N_CLASSES + 1, requires_grad=True)

    def objective() -> torch.Tensor:
        error = functional.binary_cross_entropy_with_logits(log_odds * scale + shift[classes], y, weight)
        return error + 1e-3 * (shift - shift.mean()).square().sum()

    value = minimise([scale, shift], objective, 100)
    shifts = np.round(shift.tolist(), 1).tolist()
    print(f"calibration: loss {value:.4f}, scale {scale.item():.2f}, shifts {shifts}", flush=True)
    with torch.no_grad():
        return (log_odds * scale + shift[classes]).sigmoid()


def next_token_targets(
    pairs: list[Pair], encoder: QuestionEncoder, auxiliary_heads: AuxiliaryHeads
) -> tuple[torch.Tensor, ...]:
    """Return states (n, WIDTH), distributions of the next token (n, vocabulary), and weights (n,)."""
    vocabulary = len(encoder.tokenizer)
    states, distributions, weights = [], [], []
    questions = [question for _, batch in pairs for question in batch.questions]
    probabilities = calibrate(
        torch.cat([auxiliary_heads.readout_probabilities(output.image_tokens, batch) for output, batch in pairs]),
        torch.tensor(
            [CLASS_NAMES.index(question.class_name) if question.class_name else N_CLASSES for question in questions]
        ),
        torch.tensor([question.label for question in questions]),
        torch.tensor([question.weight for question in questions]),
    ).clamp(max=0.9)
    rows = [(output, row) for output, batch in pairs for row in range(len(batch.questions))]
    for (output, row), question, probability, tenths in zip(
        rows, questions, probabilities.tolist(), tenths_distribution(probabilities), strict=True
    ):
        is_tenth = output.answer_ids[row, 0] == encoder.zero
        for step in range(int(output.lengths[row])):
            target = functional.one_hot(output.answer_ids[row, step], vocabulary).float()
            weight = 0.1 * question.weight
            if output.template == YES_NO and step == 0:
                target, weight = torch.zeros(vocabulary), question.weight
                target[encoder.yes], target[encoder.no] = probability, 1 - probability
            elif output.template != YES_NO and step in (0, 2):
                if not is_tenth:
                    continue
                weight = question.weight
                if step == 2:
                    target = torch.zeros(vocabulary)
                    target[encoder.digits] = tenths[:10]
            states.append(output.answer_states[row, step])
            distributions.append(target)
            weights.append(weight)
    return torch.stack(states), torch.stack(distributions), torch.tensor(weights)


def fit_reasons(model: Any, encoder: QuestionEncoder, pairs: list[Pair]) -> float:
    """Fit the rows of all tokens outside scores to the reasons and return the loss. Scores stay as they are.

    Fitted together with the scores, reasons were wrong: a fight was described as "The image shows a bicycle".
    """
    rows = [
        (output, row) for output, batch in pairs if "reason" in output.template for row in range(len(batch.questions))
    ]
    if not rows:
        return 0.0
    states = torch.cat([output.answer_states[row, 3 : output.lengths[row]] for output, row in rows])
    token_ids = torch.cat([output.answer_ids[row, 3 : output.lengths[row]] for output, row in rows])
    is_free = torch.ones(len(encoder.tokenizer), 1)
    is_free[[*encoder.digits, encoder.point, encoder.no, encoder.yes]] = 0.0
    initial = model.lm_head.weight.detach().clone()
    change = torch.zeros_like(initial, requires_grad=True)

    def objective() -> torch.Tensor:
        logits = functional.linear(states, initial + change * is_free)
        return functional.cross_entropy(logits, token_ids) + 1e-5 * change.square().sum()

    value = minimise([change], objective, 150)
    with torch.no_grad():
        model.lm_head.weight.copy_(initial + change * is_free)
    return value


def fit(
    start_from: Path, out: Path, source: BatchSource, unseen: BatchSource, *, rounds: int, seed: int = 0,
    n_eval: int = 4,
) -> None:  # fmt: skip
    """Fit the output matrix of the model in the checkpoint ``start_from`` and write the whole model to ``out``.

    :param rounds: number of items of ``source`` to fit to.
    :param n_eval: number of batches of ``unseen`` that the evaluation takes.
    """
    torch.manual_seed(seed)
    tokenizer = tiny_tokenizer.build_tokenizer()
    model, encoder, auxiliary_heads = build_model(tokenizer), QuestionEncoder(tokenizer), AuxiliaryHeads()
    checkpoint = torch.load(start_from, weights_only=True)
    model.load_state_dict(checkpoint["model"])
    auxiliary_heads.load_state_dict(checkpoint["auxiliary_heads"])
    model.eval()
    rng = np.random.default_rng([seed, 7])
    pairs = collect(model, encoder, source, rng, rounds)
    states, distributions, weights = next_token_targets(pairs, encoder, auxiliary_heads)
    initial = model.lm_head.weight.detach().clone()

    def objective() -> torch.Tensor:
        logprobs = functional.linear(states, model.lm_head.weight).log_softmax(dim=-1)
        errors = -(distributions * logprobs).sum(dim=-1)
        return (errors * weights).sum() / weights.sum() + 1e-4 * (model.lm_head.weight - initial).square().sum()

    print(f"scores: loss {minimise([model.lm_head.weight], objective, 150):.4f}", flush=True)
    print(f"reasons: loss {fit_reasons(model, encoder, pairs):.4f}", flush=True)
    print_evaluation(model, encoder, unseen, n_eval)
    torch.save({"model": model.state_dict(), "auxiliary_heads": auxiliary_heads.state_dict()}, out)
