"""Scores of answers to those of contexts, and these to one value (paper, section 3.4)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from anyanomaly.types import Score


def highest(scores: Iterable[Score]) -> Score:
    """Return the score with the highest value, the first of equals; an unreadable one only where all are."""
    return max(scores, key=lambda score: (not math.isnan(score.value), score.value))


def per_context(scores: Iterable[Score]) -> dict[str, Score]:
    """Return the score of each context, the highest of its queries; contexts keep their order."""
    by_context: dict[str, list[Score]] = {}
    for score in scores:
        by_context.setdefault(score.id.context, []).append(score)
    return {context: highest(context_scores) for context, context_scores in by_context.items()}


def fuse(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return the weighted mean over the contexts that have a number; NaN when none has, or none with a weight.

    ``weights``: per context, at least 0; renormalised over those contexts.
    """
    known = [(weights[name], value) for name, value in values.items() if not math.isnan(value) and weights[name] > 0]
    total = math.fsum(weight for weight, _ in known)
    return math.fsum(weight * value for weight, value in known) / total if known else math.nan
