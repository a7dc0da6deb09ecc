"""Gates rate the segments of a run: their combinations, what need not be rated, and the encoder's batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from anyanomaly.api import Gate, Options
from anyanomaly.core.gate import GateMode
from anyanomaly.engine.caching_encoder import CachingEncoder
from anyanomaly.engine.gating import GateKeeper
from anyanomaly.engine.settings import GateRule
from anyanomaly.testing.contracts.gate import sample_segments
from anyanomaly.testing.fakes import FakeEncoder
from anyanomaly.types import Crop, EventText, FloatArray, Segment

TEXTS = ("a red square", "a blue dog")


class Fixed(Gate[Options]):
    """Gives the priorities of a table by segment and text, and records what it was asked to rate."""

    def __init__(self, table: Sequence[Sequence[float]]) -> None:
        super().__init__(Options())
        self.table = table
        self.rated: list[tuple[int, str]] = []

    def rate(self, segments: Sequence[Segment], texts: Sequence[EventText]) -> FloatArray:
        self.rated += [(segment.index, text.text) for segment in segments for text in texts]
        columns = [TEXTS.index(text.text) for text in texts]
        return np.array([[self.table[segment.index][c] for c in columns] for segment in segments], np.float32)


class Crops(Fixed):
    """Needs the vector of the first frame of each segment."""

    def crops(self, segment: Segment) -> Sequence[Crop]:
        return [Crop(segment.frames[0])]


FIRST = [[0, 0.5], [0, 0], [1, 0.25], [0, 0], [0.5, 0.5], [0, 1]]
SECOND = [[0.5, 0.5]] * 6


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("and", [0.0, 0.25]), ("or", [0.5, 0.75]), ("max", [0.5, 0.5])],
)
def test_priorities_are_combined_by_the_rule(mode: GateMode, expected: list[float]) -> None:
    keeper = GateKeeper({"first": Fixed(FIRST), "second": Fixed(SECOND)}, GateRule(mode), TEXTS)
    keeper.begin(sample_segments()[0].video)
    first_segment = keeper.rate(sample_segments())[0]
    assert [first_segment[text].combined for text in TEXTS] == pytest.approx(expected)
    assert first_segment[TEXTS[1]].by_gate == {"first": 0.5, "second": 0.5}


@pytest.mark.parametrize("sizes", [[6], [1] * 6, [2, 4]])
def test_with_and_a_gate_rates_only_what_the_gates_before_it_have_left(sizes: list[int]) -> None:
    first, second = Fixed(FIRST), Fixed(SECOND)
    keeper = GateKeeper({"first": first, "second": second}, GateRule("and", above=0.3), TEXTS)
    segments = sample_segments()
    keeper.begin(segments[0].video)
    priorities = []
    for size in sizes:
        priorities += keeper.rate([segments.pop(0) for _ in range(size)])
    assert len(first.rated) == 12
    assert second.rated == [(0, TEXTS[1]), (2, TEXTS[0]), (4, TEXTS[0]), (4, TEXTS[1]), (5, TEXTS[1])]
    assert priorities[1][TEXTS[0]].by_gate == {"first": 0.0}
    assert priorities[2][TEXTS[1]].combined == 0.25  # of the first gate alone: it is not asked about


def test_crops_of_a_group_are_encoded_in_one_call() -> None:
    encoder = CachingEncoder(FakeEncoder())
    keeper = GateKeeper({"crops": Crops(SECOND)}, GateRule(), TEXTS, encoder)
    keeper.begin(sample_segments()[0].video)
    keeper.rate(sample_segments())
    assert (encoder.n_calls, encoder.n_crops) == (1, 6)


def test_no_segments_have_no_priorities() -> None:
    keeper = GateKeeper({"first": Fixed(FIRST)}, GateRule(), TEXTS)
    assert keeper.rate([]) == []
