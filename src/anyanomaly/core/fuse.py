"""From the scores of answers to scores of contexts, and from these to one value (paper, section 3.4)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from anyanomaly.types import Score


def highest(scores: Iterable[Score]) -> Score:
    """Return the score with the highest value, the first of equal ones; an unreadable score only when all are.

    :raises ValueError: without a score.
    """
    return max(scores, key=lambda score: (not math.isnan(score.value), score.value))


def per_context(scores: Iterable[Score]) -> dict[str, Score]:
    """Return the score of each context, the highest of its queries; contexts keep their order."""
    by_context: dict[str, list[Score]] = {}
    for score in scores:
        by_context.setdefault(score.id.context, []).append(score)
    return {context: highest(context_scores) for context, context_scores in by_context.items()}


def fuse(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return the weighted mean of the contexts' scores; missing ones (NaN) are ignored; NaN when all are missing.

    With all scores and weights that sum to 1 this is the paper's anomaly score (section 3.4).

    :param values: context to score. :param weights: context to weight, at least 0; renormalised.
    """
    pairs = [(weights[name], value) for name, value in values.items() if not math.isnan(value) and weights[name] > 0]
    total = math.fsum(weight for weight, _ in pairs)
    return math.fsum(weight * value for weight, value in pairs) / total if pairs else math.nan
