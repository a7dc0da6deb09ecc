"""How much a run may ask: a budget of questions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount of questions."""

    unit: Literal["questions", "per-minute", "share"]
    amount: float
    """Questions of the run; questions per minute of video; or the fraction (0 to 1) of pairs of segment and text."""


def parse_budget(text: str) -> Budget:
    """Return the budget that a user wrote: ``200``, ``20/min`` or ``5%``.

    :raises ValueError: when it is none of these.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%|/\s*min)?\s*", text)
    if match:
        amount, unit = float(match[1]), match[2]
        if unit == "%" and 0 < amount <= 100:
            return Budget("share", amount / 100)
        if unit and unit.startswith("/") and 0 < amount <= 1e6:
            return Budget("per-minute", amount)
        if unit is None and amount >= 1 and amount == int(amount):
            return Budget("questions", amount)
    raise ValueError(f"{text!r} is not a budget; write a number of questions (200), 20/min, or 5%")
