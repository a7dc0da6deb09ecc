"""From the scores of contexts to one value."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.core.fuse import fuse

WEIGHTS = {"key": 0.6, "position": 0.3, "temporal": 0.1}
UNIT = st.floats(0, 1)


def test_the_published_weights() -> None:
    assert fuse({"key": 1.0, "position": 0.5, "temporal": 0.0}, WEIGHTS) == pytest.approx(0.75)


def test_a_missing_score_takes_no_part() -> None:
    assert fuse({"key": math.nan, "position": 0.5, "temporal": 0.1}, WEIGHTS) == pytest.approx(0.4)
    assert math.isnan(fuse(dict.fromkeys(WEIGHTS, math.nan), WEIGHTS))
    assert math.isnan(fuse({"key": 0.5}, {"key": 0.0}))


@given(UNIT, UNIT, UNIT)
def test_it_lies_between_the_scores(key: float, position: float, temporal: float) -> None:
    values = {"key": key, "position": position, "temporal": temporal}
    assert min(values.values()) - 1e-12 <= fuse(values, WEIGHTS) <= max(values.values()) + 1e-12
