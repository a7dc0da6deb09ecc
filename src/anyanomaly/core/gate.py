"""From the priorities of gates to one priority, and to the value of a segment that the backend was not asked about."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, TypeAlias

GateMode: TypeAlias = Literal["and", "or", "max"]


def combine_priorities(priorities: Iterable[float], mode: GateMode) -> float:
    """Return one priority, in [0, 1], for those of several gates; that of one gate is not changed.

    :param mode: ``and``: the product; ``or``: the chance that at least one is right, where each priority is a chance
        and they are independent; ``max``: the highest.
    """
    values = list(priorities)
    if mode == "max" or len(values) == 1:
        return max(values)
    return math.prod(values) if mode == "and" else 1 - math.prod(1 - value for value in values)


def unasked_value(priority: float, threshold: float) -> float:
    """Return the value of a segment that the backend was not asked about, below the threshold of events.

    :param priority: of its gates, in [0, 1]. :param threshold: in [0, 1]; at 0 nothing is below it: NaN.
    """
    return priority * math.nextafter(threshold, 0) / 2 if threshold > 0 else math.nan
