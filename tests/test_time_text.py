"""Times as text: they are rounded before they are split, and never look like another time."""

from __future__ import annotations

import math

import pytest

from anyanomaly.time_text import time_text


@pytest.mark.parametrize(
    ("time_s", "n_digits", "text"),
    [
        *((0, 0, "0:00"), (59.96, 1, "1:00.0"), (59.9996, 3, "1:00.000"), (3599.6, 0, "1:00:00")),
        *((3723.44, 1, "1:02:03.4"), (90_000, 0, "25:00:00"), (-1.5, 1, "-0:01.5"), (-0.04, 1, "0:00.0")),
        *((math.nan, 0, "–"), (-math.inf, 3, "–")),
    ],
)
def test_times(time_s: float, n_digits: int, text: str) -> None:
    assert time_text(time_s, n_digits) == text


def test_hours_where_there_are_none() -> None:
    assert time_text(61.25, 2, has_hours=True) == "0:01:01.25"
