"""A temporal context that shows several windows: each is asked about, and the highest score counts."""

from __future__ import annotations

import math

import pytest

from anyanomaly.core.expected import SCORES
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.engine.settings import ReasonRule
from anyanomaly.testing.fakes import FakeBackend, redness
from anyanomaly.types import Query, Sampling, SegmentScore
from tests.engine.parts import run, settings

N_WINDOWS = 4


class Noting(FakeBackend):
    """Says of each query of a context what it was told to, and notes what it was asked."""

    def __init__(self, *said: str, reorder: bool = False) -> None:
        super().__init__(self._say, batch_size=5, reorder=reorder)
        self.said = said
        self.asked: list[Query] = []

    def _say(self, query: Query) -> str:
        self.asked.append(query)
        return self.said[query.id.index] if query.id.context == "temporal" else redness(query)


def scores(backend: FakeBackend, **changes: object) -> list[SegmentScore]:
    return [each for each in run(settings(**changes), backend, windows=N_WINDOWS) if isinstance(each, SegmentScore)]


@pytest.mark.parametrize("reorder", [False, True])
def test_the_highest_score_and_its_words_are_the_contexts(reorder: bool) -> None:
    found = scores(Noting("0.2. No.", "no idea", "0.9. A red car.", "0.4. Maybe.", reorder=reorder))
    for score in found:
        assert list(score.scores) == ["key", "position", "temporal"]
        assert score.scores["temporal"].value == 0.9
        assert score.scores["temporal"].answer == "0.9. A red car."


def test_a_context_is_missing_only_where_no_window_can_be_read() -> None:
    assert all(each.scores["temporal"].value == 0.1 for each in scores(Noting("?", "?", "?", "0.1."), max_unreadable=1))
    assert all(math.isnan(each.scores["temporal"].value) for each in scores(Noting(*"????"), max_unreadable=1))


def test_each_window_is_asked_about_once() -> None:
    backend = Noting(*["0.5."] * N_WINDOWS)
    n_segments = len(scores(backend))
    assert len({query.id for query in backend.asked}) == len(backend.asked) == n_segments * (2 + N_WINDOWS)
    shown = [query.images[0].tobytes() for query in backend.asked if query.id[1:4] == (4, "red car", "temporal")]
    assert len(set(shown)) > 1


def test_the_reason_is_asked_of_the_window_that_scored_highest() -> None:
    backend = Noting(*["0.1"] * 3, "1.0")
    why = ReasonRule(0.0, PromptTemplate("why", "Why is there {text}?"))
    found = scores(backend, sampling=Sampling(choices=SCORES), reason=why)
    reasons = [query.id for query in backend.asked if query.prompt.startswith("Why")]
    assert len(reasons) == len(found)
    for score, asked in zip(found, reasons, strict=True):
        assert asked == max(score.scores.values(), key=lambda each: each.value).id
    assert {asked.index for asked in reasons if asked.context == "temporal"} == {3}
