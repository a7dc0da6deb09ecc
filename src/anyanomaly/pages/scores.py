"""Scores on a page: as text, as bars of probabilities, and as the sum that the fusion makes of them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from anyanomaly.core.asked_text import UNASKED
from anyanomaly.core.expected import SCALES, answer_values


@dataclass(frozen=True, slots=True)
class Bar:
    """The probability of one allowed answer."""

    label: str
    percent: float  # 0 to 100
    text: str  # "64%"
    value: str  # "0.78", where the answer does not name its value; else empty


@dataclass(frozen=True, slots=True)
class FusionRow:
    """One context in the fusion."""

    context: str
    weight: str
    score: str
    product: str  # weight x score; empty: the score is missing
    percent: float  # its part of the fused score, in percent of 1
    is_missing: bool


@dataclass(frozen=True, slots=True)
class Fusion:
    """How the scores of the contexts became one: the sum of the products over the sum of the weights."""

    rows: tuple[FusionRow, ...]
    weight_sum: str  # of the contexts that have a score
    product_sum: str
    value: str


def exact_score(value: float, *, is_asked: bool = True) -> str:
    """Return a score as text; NaN is "unreadable", unless the model was not asked for it."""
    if not is_asked:
        return UNASKED
    return "unreadable" if math.isnan(value) else f"{value:.3f}"


def percent_text(probability: float) -> str:
    """Return a probability in [0, 1] as text, with a digit behind the point below 10 %."""
    return f"{probability:.0%}" if probability >= 0.0995 else f"{probability:.1%}"


def probability_bars(logprobs: Mapping[str, float] | None) -> tuple[Bar, ...]:
    """Return a bar per allowed answer, in their order.

    :param logprobs: allowed answer to the natural logarithm of its probability; None: no bars.
    """
    probabilities = {
        answer: 0.0 if math.isnan(logprob) else math.exp(min(logprob, 0.0))
        for answer, logprob in (logprobs or {}).items()
    }
    values = _scale_values(probabilities)
    return tuple(
        Bar(answer, round(100 * probability, 2), percent_text(probability), values.get(answer, ""))
        for answer, probability in probabilities.items()
    )


def _scale_values(answers: Collection[str]) -> dict[str, str]:
    """Return the value of each answer of a scale whose answers do not name their values, as text; else nothing."""
    if not any(set(answers) == set(SCALES[scale]) for scale in ("digits", "letters")):
        return {}
    return {answer: f"{value:.2f}" for answer, value in answer_values(answers).items()}


def fusion_view(
    scores: Mapping[str, float], weights: Mapping[str, float], value: float, unasked: Collection[str] = ()
) -> Fusion:
    """Return how ``core.fuse.fuse`` made ``value`` of the scores.

    :param scores: context to score; NaN is missing. :param weights: context to weight; without one it is 0.
    :param unasked: contexts that the model was not asked about; their scores are missing.
    """
    available = {name: score for name, score in scores.items() if not math.isnan(score)}
    weight_sum = math.fsum(weights.get(name, 0.0) for name in available)
    products = {name: weights.get(name, 0.0) * score for name, score in available.items()}
    return Fusion(
        rows=tuple(
            FusionRow(
                context=name,
                weight=f"{weights.get(name, 0.0):.3g}",
                score=exact_score(score, is_asked=name not in unasked),
                product=f"{products[name]:.3f}" if name in products else "",
                percent=_part(products.get(name, 0.0), weight_sum),
                is_missing=name not in available,
            )
            for name, score in scores.items()
        ),
        weight_sum=f"{weight_sum:.3g}",
        product_sum=f"{math.fsum(products.values()):.3f}",
        value=exact_score(value),
    )


def _part(product: float, weight_sum: float) -> float:
    """Return the part of a product in the fused score, 0 to 100: published scores may lie outside of 0 to 1."""
    return round(min(max(100 * product / weight_sum, 0.0), 100.0), 2) if weight_sum else 0.0
