"""The share of the time in which a backend has no query to work on, under a clock that only moves when told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.api.activity import Activity, Times
from anyanomaly.engine.clock import StageClock, describe_long_waiting, waiting_share
from anyanomaly.engine.outputs import Outputs
from anyanomaly.engine.run import Run
from anyanomaly.engine.stored_answers import StoredAnswers, measure_between_pulls
from anyanomaly.testing.fakes import FakeBackend
from anyanomaly.types import Answer, Query
from tests.engine.parts import ListReader, planner, settings
from tests.engine.store_parts import make_queries


class FakeTime:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds


class TimedBackend(FakeBackend):
    """Takes two seconds for a batch."""

    def __init__(self, time: FakeTime, batch_size: int) -> None:
        super().__init__(batch_size=batch_size)
        self.load()
        self._time = time

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        self._time.pass_s(2)
        return super().answer_batch(queries)


class OverlappingBackend(TimedBackend):
    """Has up to ``batch_size`` queries in flight while it pulls; each is answered two seconds after it was pulled."""

    works_while_pulling = True

    def answer(self, queries: Iterable[Query]) -> Iterator[Answer]:
        open_queries: list[tuple[float, Query]] = []

        def finish(until_s: float) -> Iterator[Answer]:
            while open_queries and open_queries[0][0] <= until_s:
                end_s, query = open_queries.pop(0)
                now_s, self._time.now_s = self._time.now_s, end_s  # the engine works while this thread pulls
                self.activity.end()
                self._time.now_s = max(now_s, end_s)
                yield Answer(query.id, "0.5")

        for query in queries:
            yield from finish(self._time.now_s)
            open_queries.append((self._time.now_s + 2, query))
            self.activity.begin()
            if len(open_queries) == self.batch_size:
                yield from finish(open_queries[0][0])
        yield from finish(float("inf"))


def slow_queries(time: FakeTime, n_queries: int, seconds: float) -> Iterator[Query]:
    """Yield queries that take so many seconds each to make."""
    for query in make_queries(n_queries):
        time.pass_s(seconds)
        yield query


def test_a_backend_that_answers_batch_by_batch_waits_while_the_next_batch_is_made() -> None:
    time = FakeTime()
    activity = Activity(time)
    backend = TimedBackend(time, batch_size=3)
    answers = measure_between_pulls(backend.answer, slow_queries(time, 6, 0.5), activity)
    for _ in answers:
        time.pass_s(0.25)  # the caller reads an answer
    # From the first query at 0.5 s: 1 s for the rest of the batch, 2 s for its answers, 3 times 0.25 s to read them,
    # 1.5 s for the next batch, 2 s, and 2 times 0.25 s to the last answer.
    assert activity.times() == Times(span_s=1 + 2 + 0.75 + 1.5 + 2 + 0.5, waiting_s=1 + 0.75 + 1.5 + 0.5)


def test_a_backend_that_works_while_it_pulls_waits_only_without_a_query() -> None:
    time = FakeTime()
    backend = OverlappingBackend(time, batch_size=3)
    backend.activity = Activity(time)
    # Pulled at 1.5, 3, 4.5 and 6 s; each answer takes 2 s, so there is always a query.
    assert len(list(backend.answer(slow_queries(time, 4, 1.5)))) == 4
    assert backend.activity.times() == Times(6.5, 0.0)
    backend.activity = Activity(time)
    # A query every 5 s: busy for 2 s, then 3 s without any.
    assert len(list(backend.answer(slow_queries(time, 3, 5)))) == 3
    assert backend.activity.times() == Times(12.0, 6.0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20))
def test_times_are_those_of_the_union_of_all_queries(queries: list[tuple[int, int]]) -> None:
    spans = [(start, start + duration) for start, duration in queries]
    moments = sorted([(start, True) for start, _ in spans] + [(stop, False) for _, stop in spans], key=_begins_first)
    time = FakeTime()
    activity = Activity(time)
    for moment, begins in moments:
        time.now_s = moment
        (activity.begin if begins else activity.end)()
    seconds = {second for start, stop in spans for second in range(start, stop)}
    first, last = min(start for start, _ in spans), max(stop for _, stop in spans)
    assert activity.n_queries == 0
    assert activity.times() == Times(last - first, last - first - len(seconds))


def _begins_first(moment: tuple[int, bool]) -> tuple[int, bool]:
    return moment[0], not moment[1]


def test_times_before_the_first_query_and_while_one_is_with_the_engine() -> None:
    time = FakeTime()
    activity = Activity(time)
    time.pass_s(5)
    assert activity.times() == Times(0.0, 0.0)
    assert waiting_share(activity.times()) is None
    activity.begin()
    time.pass_s(3)
    assert activity.times() == Times(3.0, 0.0)
    with pytest.raises(KeyError), activity.work():
        raise KeyError
    assert activity.n_queries == 1


@pytest.mark.parametrize("backend_class", [TimedBackend, OverlappingBackend])
def test_the_host_gives_each_run_a_measure_of_its_own(backend_class: type[TimedBackend]) -> None:
    backend = backend_class(FakeTime(), batch_size=2)
    measured = []
    for _ in range(2):
        answers = StoredAnswers(backend, None)
        assert len(list(answers.answer(make_queries(5)))) == 5
        assert answers.activity is backend.activity
        assert answers.activity.n_queries == 0
        assert answers.activity.times().span_s > 0
        measured.append(answers.activity)
    assert measured[0] is not measured[1]


def test_a_run_says_how_much_of_the_time_its_backend_waited() -> None:
    backend, chosen, reader = FakeBackend(batch_size=4), settings(), ListReader(60)
    backend.load()
    clock = StageClock()
    run = Run(
        chosen, [(reader, reader.probe("v"))], planner(chosen, clock=clock)[0], backend, Outputs([]), None, {}, clock
    )
    list(run)
    assert run.report.speed is not None
    share = run.report.speed.waiting_share
    assert share is not None
    assert 0 < share <= 1
    assert run.report.speed.describe().endswith(" % of the time.")


def test_the_share_of_a_short_time_is_not_printed() -> None:
    assert describe_long_waiting(Times(0.0, 0.0)) == ""
    assert describe_long_waiting(Times(19.0, 10.0)) == ""
    assert describe_long_waiting(Times(40.0, 10.0)) == "The backend waited for questions 25 % of the time."
    assert describe_long_waiting(Times(1000.0, 1.2)) == "The backend waited for questions 0.1 % of the time."
