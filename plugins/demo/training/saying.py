"""Fits the last matrix of the language model: from what it knows when it answers to the words that say it.

The layers below stay as they are, so this is a small problem, solved in a minute. It calibrates, in the proportions of
the data set: the chance that a state speaks of is fitted to the labels, and the digits to the chance and the labels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tokens
import torch
from answers import Aids, Heard, Source, build, hear, look, tenths_near
from asking import YES_NO, Batch, Talk
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


def chances(states: torch.Tensor, y: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Fit the chance of a label to states (n, WIDTH) by logistic regression; return it (n,)."""
    linear = torch.nn.Linear(states.shape[1], 1)
    torch.nn.init.zeros_(linear.weight)

    def value() -> torch.Tensor:
        said = linear(states)[:, 0]
        fit = functional.binary_cross_entropy_with_logits(said, y, weight)
        return fit + 1e-3 * linear.weight.square().sum()

    print(f"chance: {solve(list(linear.parameters()), value, 200):.4f}", flush=True)
    with torch.no_grad():
        chance: torch.Tensor = linear(states)[:, 0].sigmoid()
        return chance


def targets(pairs: list[Pair], talk: Talk) -> tuple[torch.Tensor, ...]:
    """Return states (n, WIDTH), what should come next (n, vocabulary), weights, where a digit comes, and y."""
    size = len(talk.tokenizer)
    states, wanted, weights, y, is_digit = [], [], [], [], []
    for heard, batch in pairs:
        for row, asked in enumerate(batch.questions):
            tenths = heard.wanted[row, 0] == talk.zero
            for step in range(int(heard.lengths[row])):
                if heard.template != YES_NO and step in (0, 2) and not tenths:
                    continue
                goal = functional.one_hot(heard.wanted[row, step], size).float()
                if heard.template == YES_NO and step == 0:
                    goal = torch.zeros(size)
                    goal[talk.yes], goal[talk.no] = asked.y, 1 - asked.y
                states.append(heard.saying[row, step])
                wanted.append(goal)
                digit = heard.template != YES_NO and step == 2
                weights.append(asked.weight if digit or step == 0 else 0.1 * asked.weight)
                is_digit.append(digit)
                y.append(asked.y)
    known, goals, weight = torch.stack(states), torch.stack(wanted), torch.tensor(weights)
    digits = torch.tensor(is_digit)
    target = tenths_near(chances(known[digits], torch.tensor(y)[digits], weight[digits]).clamp(max=0.9))
    goals[digits] = 0.0
    rows = torch.where(digits)[0]
    for value in range(10):
        goals[rows, talk.digits[value]] = target[:, value]
    return known, goals, weight, digits, torch.tensor(y)


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
    states, goals, weight, is_digit, y = targets(collect(model, talk, source, rng, rounds), talk)
    first = model.lm_head.weight.detach().clone()

    def value() -> torch.Tensor:
        logprobs = functional.linear(states, model.lm_head.weight).log_softmax(dim=-1)
        each = -(goals * logprobs).sum(dim=-1)
        expected = (logprobs[is_digit][:, talk.digits].softmax(dim=-1) * torch.arange(10) / 10).sum(dim=-1)
        fit = functional.binary_cross_entropy(expected.clamp(1e-4, 1 - 1e-4), y[is_digit], weight[is_digit])
        return (each * weight).sum() / weight.sum() + fit + 1e-4 * (model.lm_head.weight - first).square().sum()

    print(f"words: {solve([model.lm_head.weight], value, 150):.4f}", flush=True)
    look(model, talk, unseen)
    torch.save({"model": model.state_dict(), "aids": aids.state_dict()}, out)
