"""Answers in words: the likeliest token at each step, or a sample with one seed per query."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeAlias

import numpy as np

from anyanomaly.kit import sampling_seed
from anyanomaly.types import Query
from anyanomaly_llamacpp.decoder import Logits

ChooseToken: TypeAlias = Callable[[Logits], int]


def token_chooser(query: Query) -> ChooseToken:
    """Return a function from the logits of the next token to its id; llama.cpp's own defaults do not apply."""
    sampling = query.sampling
    if sampling.temperature == 0.0:
        return lambda logits: int(logits.argmax())
    random = np.random.default_rng(sampling_seed(query))

    def sample(logits: Logits) -> int:
        weights = np.exp((logits - logits.max()) / sampling.temperature)
        order = np.argsort(-weights, kind="stable")
        probabilities = weights[order] / weights.sum()
        if sampling.top_p < 1.0:
            n_candidates = int(np.searchsorted(np.cumsum(probabilities), sampling.top_p)) + 1
            order, probabilities = order[:n_candidates], probabilities[:n_candidates]
        return int(order[random.choice(len(order), p=probabilities / probabilities.sum())])

    return sample


def penalise(logits: Logits, used_tokens: Collection[int], penalty: float) -> Logits:
    """Return the logits with those of ``used_tokens`` lowered: divided by the penalty, or multiplied when negative."""
    if penalty == 1.0 or not used_tokens:
        return logits
    indices = np.fromiter(used_tokens, dtype=np.intp)
    logits = logits.copy()
    logits[indices] = np.where(logits[indices] > 0, logits[indices] / penalty, logits[indices] * penalty)
    return logits
