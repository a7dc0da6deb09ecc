"""Answer a stream of queries from the answer store, and by the backend where the store has no answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from anyanomaly.api.activity import Activity
from anyanomaly.api.backend import Backend
from anyanomaly.api.options import Options
from anyanomaly.engine.store import AnswerStore, query_key
from anyanomaly.errors import BackendError
from anyanomaly.outside_text import storable_text
from anyanomaly.types import Answer, Query, QueryId


class _Lookup(NamedTuple):
    """A query, its key, and the stored answer to it."""

    query: Query
    key: str
    stored: Answer | None


def unknown_answer(answer: Answer) -> BackendError:
    """Return the error for an answer whose query was not asked, or was answered before."""
    return BackendError(
        f"The backend answered a query that does not wait for an answer: {answer.id}. Report this bug to its author."
    )


class StoredAnswers:
    """Answers a stream of queries.

    A query equal to one that the backend is answering waits for that answer. ``n_asked`` counts the queries that
    reached the backend, ``n_reused`` those answered from the store or by an equal query. ``activity`` measures when the
    backend has queries to work on.
    """

    def __init__(self, backend: Backend[Options], store: AnswerStore | None) -> None:
        self._backend = backend
        self._store = store
        self.n_asked = self.n_reused = 0
        self.activity = Activity()

    def answer(self, queries: Iterable[Query]) -> Generator[Answer, None, None]:
        """Yield an answer to every query once, in any order. An answer is stored before it is yielded.

        :raises BackendError: when the backend fails or answers an unknown query.
        """
        if self._store is None:
            yield from map(_make_storable, self._ask(self._count_asked(queries)))
            return
        store, fingerprint = self._store, self._backend.fingerprint
        equal_ids: dict[str, list[QueryId]] = {}  # per key that is not yet stored: queries that wait for its answer

        def look_up() -> Iterator[_Lookup]:
            for query in queries:
                key = query_key(query, fingerprint)
                yield _Lookup(query, key, None if key in equal_ids else store.get(key, query.id))

        lookups = look_up()
        for lookup in lookups:  # answers of an earlier run do not wait for the backend
            if lookup.stored is None:
                yield from self._answer_misses(chain([lookup], lookups), equal_ids, store)
                return
            self.n_reused += 1
            yield lookup.stored

    def _answer_misses(
        self, lookups: Iterable[_Lookup], equal_ids: dict[str, list[QueryId]], store: AnswerStore
    ) -> Iterator[Answer]:
        in_flight: dict[QueryId, str] = {}  # keys of the queries that the backend is answering
        answered: list[tuple[str, Answer]] = []  # not yet stored
        ready: list[Answer] = []  # stored, not yet yielded

        def store_answered() -> None:
            store.put(answered, self._backend.fingerprint)
            for key, answer in answered:
                ready.append(answer)
                ready.extend(replace(answer, id=equal_id) for equal_id in equal_ids[key])
                self.n_reused += len(equal_ids.pop(key))
            answered.clear()

        def misses() -> Iterator[Query]:
            for query, key, stored in lookups:
                if key in equal_ids:
                    equal_ids[key].append(query.id)
                elif stored is not None:
                    self.n_reused += 1
                    ready.append(stored)
                else:
                    self.n_asked += 1
                    in_flight[query.id] = key
                    equal_ids[key] = []
                    yield query
                    store_answered()

        for answer in self._ask(misses()):
            if answer.id not in in_flight:
                raise unknown_answer(answer)
            answered.append((in_flight.pop(answer.id), _make_storable(answer)))
            # A batch is stored as a whole: a run that is killed and started again then forms the same batches, and
            # gives the same numbers to the last bit.
            if not self._backend.forms_batches or not in_flight:
                store_answered()
            yield from ready
            ready.clear()
        store_answered()
        yield from ready

    def _ask(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Yield the backend's answers, and measure when it has queries to work on."""
        self._backend.activity = self.activity
        if self._backend.works_while_pulling:
            return iter(self._backend.answer(queries))
        return measure_between_pulls(self._backend.answer, queries, self.activity)

    def _count_asked(self, queries: Iterable[Query]) -> Iterator[Query]:
        for query in queries:
            self.n_asked += 1
            yield query


def measure_between_pulls(
    answer: Callable[[Iterable[Query]], Iterator[Answer]], queries: Iterable[Query], activity: Activity
) -> Generator[Answer, None, None]:
    """Yield the answers of a backend that works only while it is asked for an answer, and does not pull queries.

    :param activity: counts such a time as one query, for as long as a query is unanswered.
    """
    n_unanswered = 0

    def pull() -> Iterator[Query]:
        nonlocal n_unanswered
        stream = iter(queries)
        while True:
            if n_unanswered:
                activity.end()
            query = next(stream, None)
            n_unanswered += query is not None
            if n_unanswered:
                activity.begin()
            if query is None:
                return
            yield query

    for item in answer(pull()):
        n_unanswered -= 1
        activity.end()
        yield item
        if n_unanswered:
            activity.begin()


def _make_storable(answer: Answer) -> Answer:
    """Return the answer with text that can be stored, so that a later run reads the same words from the store."""
    text = storable_text(answer.text)
    return answer if text == answer.text else replace(answer, text=text)
