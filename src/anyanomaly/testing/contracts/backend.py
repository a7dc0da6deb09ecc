"""The contract of backends (S clauses)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from anyanomaly.api import Backend, Options
from anyanomaly.core.expected import SCORES
from anyanomaly.errors import BackendError
from anyanomaly.specs import BackendSpec
from anyanomaly.testing.contracts.component import ComponentContract
from anyanomaly.testing.fakes import counting
from anyanomaly.testing.samples import sample_queries
from anyanomaly.types import Answer, Query, Sampling

N_QUERIES = 5


class BackendContract(ComponentContract):
    """Fixtures ``component``: a backend, not loaded; ``spec``: its spec, which says which clauses apply."""

    @pytest.fixture
    def spec(self) -> BackendSpec:
        """Return the backend's spec."""
        raise AssertionError("the backend contract needs the fixture `spec`")

    @pytest.fixture
    def loaded(self, component: Any) -> Iterator[Backend[Options]]:
        """Yield the backend, loaded."""
        with component:
            yield component

    def queries(self, n_queries: int, **options: Any) -> list[Query]:
        """Return queries; override for a backend that answers only certain ones.

        :param options: of ``sample_queries``.
        """
        return list(islice(sample_queries(**options), n_queries))

    def test_s1_no_queries_no_answers(self, loaded: Backend[Options]) -> None:
        assert list(loaded.answer([])) == []

    def test_s2_one_in_one_out(self, loaded: Backend[Options]) -> None:
        (query,) = self.queries(1)
        (answer,) = loaded.answer([query])
        assert answer.id == query.id

    def test_s3_every_query_is_answered_once(self, loaded: Backend[Options]) -> None:
        queries = self.queries(N_QUERIES)
        assert sorted(answer.id for answer in loaded.answer(queries)) == [query.id for query in queries]

    def test_s4_never_holds_more_queries_than_max_inflight(self, loaded: Backend[Options]) -> None:
        stream = counting(self.queries(2 * N_QUERIES))
        for n_answered, _ in enumerate(loaded.answer(stream)):
            assert stream.n_pulled - n_answered <= loaded.max_inflight

    def test_s5_answers_before_the_stream_ends(self, loaded: Backend[Options]) -> None:
        def stream() -> Iterator[Query]:
            yield from self.queries(N_QUERIES + loaded.max_inflight)
            raise AssertionError("took more queries than it may hold unanswered")

        assert len(list(islice(loaded.answer(stream()), N_QUERIES))) == N_QUERIES

    def test_s6_the_same_answer_alone_and_in_a_batch(self, loaded: Backend[Options], spec: BackendSpec) -> None:
        if not spec.deterministic:
            return
        queries = self.queries(N_QUERIES)
        batch_answers = {answer.id: answer for answer in loaded.answer(queries)}
        for query in queries:
            (answer,) = loaded.answer([query])
            assert _content(answer) == _content(batch_answers[query.id])

    def test_s7_exactly_the_same_answer_in_any_order_without_batches(
        self, loaded: Backend[Options], spec: BackendSpec
    ) -> None:
        if loaded.forms_batches or not spec.deterministic:
            return
        for sampling in [Sampling()] * spec.words + [Sampling(choices=SCORES)] * spec.logprobs:
            queries = self.queries(N_QUERIES, sampling=sampling)
            answers = {answer.id: answer for answer in loaded.answer(queries)}
            for query in reversed(queries):
                assert list(loaded.answer([query])) == [answers[query.id]]

    def test_s9_log_probabilities_of_every_choice(self, loaded: Backend[Options], spec: BackendSpec) -> None:
        if not spec.logprobs:
            return
        for answer in loaded.answer(self.queries(2, sampling=Sampling(choices=SCORES))):
            assert answer.logprobs is not None
            assert set(answer.logprobs) == set(SCORES)
            assert all(logprob <= 0 for logprob in answer.logprobs.values())
            assert sum(map(math.exp, answer.logprobs.values())) <= 1 + 1e-4

    def test_s11_use_before_load_is_a_backend_error(self, component: Backend[Options]) -> None:
        with pytest.raises(BackendError):
            list(component.answer(self.queries(1)))

    def test_s12_the_fingerprint_is_stable(self, component: Any, another: Any) -> None:
        with component, another:
            assert component.fingerprint == another.fingerprint


def _content(answer: Answer) -> tuple[str, float | None]:
    return answer.text, None if answer.value is None else round(answer.value, 4)
