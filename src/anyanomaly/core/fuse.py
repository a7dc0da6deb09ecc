"""Scores of the contexts to one value (paper, section 3.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping


def fuse(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return the weighted mean over the contexts that have a number; NaN when none has, or none with a weight.

    ``weights``: per context, at least 0; renormalised over those contexts.
    """
    known = [(weights[name], value) for name, value in values.items() if not math.isnan(value) and weights[name] > 0]
    total = math.fsum(weight for weight, _ in known)
    return math.fsum(weight * value for weight, value in known) / total if known else math.nan
