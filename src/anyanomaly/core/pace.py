"""Which segments of a live video to ask about, as they come, within a budget. Pure Python: no model or video."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Mapping

from anyanomaly.core.budget import Budget

WINDOW = 1000
"""Priorities, the latest, whose quantile decides."""
BURST_S = 60.0
"""A rate may be used up to this many seconds in advance of the video, or saved for as long."""
BURST_PAIRS = 20.0
"""The same for a share, in pairs."""


class Pacer:
    """Chooses the texts to ask about in each segment, one segment after the other; equal input gives equal choices.

    A pair of a segment and a text is chosen when its priority is above ``above`` and among the highest of the latest
    pairs: at least the quantile that leaves as many as the rate allows. A bucket of tokens bounds how many may be
    chosen in a row: it fills at the rate, up to a minute's worth, and is full at the start. A number of questions is
    no rate: every pair above ``above`` is chosen until they are spent.

    A pair costs ``questions_per_pair`` questions, the most that it may need, so a rate is never exceeded.
    """

    def __init__(self, budget: Budget, *, questions_per_pair: int, above: float) -> None:
        """:param questions_per_pair: at least 1. :param above: in [0, 1)."""
        self._budget = budget
        self._cost = questions_per_pair if budget.unit != "share" else 1
        self._above = above
        self._latest: deque[float] = deque()
        self._sorted: list[float] = []
        if budget.unit == "questions":
            self._capacity = budget.amount
        elif budget.unit == "per-minute":
            self._capacity = max(budget.amount * BURST_S / 60, self._cost)
        else:
            self._capacity = max(1.0, budget.amount * BURST_PAIRS)
        self._tokens = self._capacity

    def choose(self, priorities: Mapping[str, float], duration_s: float) -> list[str]:
        """Return the event texts to ask about in the next segment, in their order.

        :param priorities: by event text, in [0, 1]. :param duration_s: of the segment, seconds.
        """
        for priority in priorities.values():
            self._add(priority)
        if self._budget.unit == "per-minute":
            income = self._budget.amount * duration_s / 60
        else:
            income = self._budget.amount * len(priorities) if self._budget.unit == "share" else 0.0
        self._tokens = min(self._capacity, self._tokens + income)
        limit = self._limit(income / self._cost / max(1, len(priorities)))
        chosen_texts: set[str] = set()
        for text, priority in sorted(priorities.items(), key=lambda item: -item[1]):  # stable: equal ones in order
            if priority > self._above and priority >= limit and self._tokens >= self._cost - 1e-9:
                self._tokens -= self._cost
                chosen_texts.add(text)
        return [text for text in priorities if text in chosen_texts]

    def _limit(self, fraction: float) -> float:
        """Return the priority that a fraction of the latest pairs reaches."""
        if self._budget.unit == "questions":
            return -math.inf
        n_above = max(1, math.ceil(fraction * len(self._sorted) - 1e-9))
        return self._sorted[max(0, len(self._sorted) - n_above)]

    def _add(self, priority: float) -> None:
        self._latest.append(priority)
        insort(self._sorted, priority)
        if len(self._latest) > WINDOW:
            del self._sorted[bisect_left(self._sorted, self._latest.popleft())]
