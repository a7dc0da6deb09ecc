"""Fits the last matrix of the language model: from what it knows when it answers to the words that say it.

The layers below stay as they are, so this is a small problem, solved in a minute. It calibrates, in the proportions of
the data set: what the tower's readout says is fitted to the labels by a scale and a shift for each class, and the words
to that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tokens
import torch
from answers import Aids, Heard, Source, build, hear, look, tenths_near
from asking import YES_NO, Batch, Talk
from cells import N_CLASSES
from draw import NAMES
from torch.nn import functional

Pair = tuple[Heard, Batch]


@torch.no_grad()
def collect(model: Any, talk: Talk, source: Source, rng: np.random.Generator, n: int) -> list[Pair]:
    """Ask ``n`` rounds of batches."""
    batches = source(rng)
    return [(hear(model, talk, batch, rng), batch) for _ in range(n) for batch in next(batches)]


def solve(parameters: list[torch.Tensor], value: Any, steps: int) -> float:
    """Minimise ``value()`` by L-BFGS; return what is left."""
    optimiser = torch.optim.LBFGS(parameters, max_iter=steps, line_search_fn="strong_wolfe")

    def again() -> torch.Tensor:
        optimiser.zero_grad()
        left: torch.Tensor = value()
        left.backward()
        return left

    optimiser.step(again)
    with torch.no_grad():
        return float(value())


def calibrated(told: torch.Tensor, classes: torch.Tensor, y: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return chances (n,) moved to the labels ``y``: one scale and a shift for each class, of the log-odds."""
    odds = told.clamp(1e-4, 1 - 1e-4).logit()
    scale, shift = torch.ones(1, requires_grad=True), torch.zeros(N_CLASSES + 1, requires_grad=True)

    def value() -> torch.Tensor:
        each = functional.binary_cross_entropy_with_logits(odds * scale + shift[classes], y, weight)
        return each + 1e-3 * (shift - shift.mean()).square().sum()

    left = solve([scale, shift], value, 100)
    print(f"chance: {left:.4f}, scale {scale.item():.2f}, shifts {np.round(shift.tolist(), 1).tolist()}", flush=True)
    with torch.no_grad():
        return (odds * scale + shift[classes]).sigmoid()


def targets(pairs: list[Pair], talk: Talk, aids: Aids) -> tuple[torch.Tensor, ...]:
    """Return states (n, WIDTH), what should come next (n, vocabulary) and weights."""
    size = len(talk.tokenizer)
    states, wanted, weights = [], [], []
    asked = [each for _, batch in pairs for each in batch.questions]
    told = calibrated(
        torch.cat([aids.chances(heard.seen, batch) for heard, batch in pairs]),
        torch.tensor([NAMES.index(each.name) if each.name else N_CLASSES for each in asked]),
        torch.tensor([each.y for each in asked]),
        torch.tensor([each.weight for each in asked]),
    ).clamp(max=0.9)
    rows = [(heard, row) for heard, batch in pairs for row in range(len(batch.questions))]
    for (heard, row), each, chance, tenths in zip(rows, asked, told.tolist(), tenths_near(told), strict=True):
        below_one = heard.wanted[row, 0] == talk.zero
        for step in range(int(heard.lengths[row])):
            goal, weight = functional.one_hot(heard.wanted[row, step], size).float(), 0.1 * each.weight
            if heard.template == YES_NO and step == 0:
                goal, weight = torch.zeros(size), each.weight
                goal[talk.yes], goal[talk.no] = chance, 1 - chance
            elif heard.template != YES_NO and step in (0, 2):
                if not below_one:
                    continue
                weight = each.weight
                if step == 2:
                    goal = torch.zeros(size)
                    goal[talk.digits] = tenths[:10]
            states.append(heard.saying[row, step])
            wanted.append(goal)
            weights.append(weight)
    return torch.stack(states), torch.stack(wanted), torch.tensor(weights)


def fit_reasons(model: Any, talk: Talk, pairs: list[Pair]) -> float:
    """Fit the rows of all words that no score is made of to the reasons; return what is left. Scores stay as they are.

    Together with the scores they were fitted badly: a fight was told as "The image shows a bicycle".
    """
    said = [(heard, row) for heard, batch in pairs if "reason" in heard.template for row in range(len(batch.questions))]
    if not said:
        return 0.0
    states = torch.cat([heard.saying[row, 3 : heard.lengths[row]] for heard, row in said])
    wanted = torch.cat([heard.wanted[row, 3 : heard.lengths[row]] for heard, row in said])
    free = torch.ones(len(talk.tokenizer), 1)
    free[[*talk.digits, talk.point, talk.no, talk.yes]] = 0.0
    first = model.lm_head.weight.detach().clone()
    change = torch.zeros_like(first, requires_grad=True)

    def value() -> torch.Tensor:
        logits = functional.linear(states, first + change * free)
        return functional.cross_entropy(logits, wanted) + 1e-5 * change.square().sum()

    left = solve([change], value, 150)
    with torch.no_grad():
        model.lm_head.weight.copy_(first + change * free)
    return left


def fit(start_from: Path, out: Path, source: Source, unseen: Source, *, rounds: int, seed: int = 0) -> None:
    """Fit the last matrix of the model in ``start_from`` and write the whole to ``out``."""
    torch.manual_seed(seed)
    tokenizer = tokens.build()
    model, talk, aids = build(tokenizer), Talk(tokenizer), Aids()
    begin = torch.load(start_from, weights_only=True)
    model.load_state_dict(begin["model"])
    aids.load_state_dict(begin["aids"])
    model.eval()
    rng = np.random.default_rng([seed, 7])
    pairs = collect(model, talk, source, rng, rounds)
    states, goals, weight = targets(pairs, talk, aids)
    first = model.lm_head.weight.detach().clone()

    def value() -> torch.Tensor:
        logprobs = functional.linear(states, model.lm_head.weight).log_softmax(dim=-1)
        each = -(goals * logprobs).sum(dim=-1)
        return (each * weight).sum() / weight.sum() + 1e-4 * (model.lm_head.weight - first).square().sum()

    print(f"words: {solve([model.lm_head.weight], value, 150):.4f}", flush=True)
    print(f"reasons: {fit_reasons(model, talk, pairs):.4f}", flush=True)
    look(model, talk, unseen)
    torch.save({"model": model.state_dict(), "aids": aids.state_dict()}, out)
