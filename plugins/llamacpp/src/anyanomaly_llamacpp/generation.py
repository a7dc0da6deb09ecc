"""Answers in words: the likeliest token each time, or drawn by a seed that the question decides."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from anyanomaly.kit import sampling_seed
from anyanomaly.types import Query
from anyanomaly_llamacpp.decoder import Row

Choose = Callable[[Row], int]


def token_chooser(query: Query) -> Choose:
    """Return what picks the next token from its logits. None of llama.cpp's own defaults applies."""
    sampling = query.sampling
    if sampling.temperature == 0.0:
        return lambda row: int(row.argmax())
    random = np.random.default_rng(sampling_seed(query))

    def draw(row: Row) -> int:
        shares = np.exp((row - row.max()) / sampling.temperature)
        order = np.argsort(-shares, kind="stable")
        shares = shares[order] / shares.sum()
        kept = int(np.searchsorted(np.cumsum(shares), sampling.top_p)) + 1 if sampling.top_p < 1.0 else len(order)
        return int(order[random.choice(len(order[:kept]), p=shares[:kept] / shares[:kept].sum())])

    return draw


def penalise(row: Row, seen: Collection[int], penalty: float) -> Row:
    """Return the logits with those of the tokens ``seen``, in question or answer, made less likely."""
    if penalty == 1.0 or not seen:
        return row
    places = np.fromiter(seen, dtype=np.intp)
    row = row.copy()
    row[places] = np.where(row[places] > 0, row[places] / penalty, row[places] * penalty)
    return row
