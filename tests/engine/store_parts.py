"""Queries, a backend whose answers depend on the batch, and stores, for the tests of the answer store."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from anyanomaly.engine.store import AnswerStore
from anyanomaly.engine.store_upkeep import StoreLimits
from anyanomaly.engine.stored_answers import StoredAnswers
from anyanomaly.testing.fakes import FakeBackend
from anyanomaly.types import Answer, Query, QueryId, Sampling

FIRST_SCHEMA = "CREATE TABLE answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID"


class BatchBackend(FakeBackend):
    """Gives scores with digits that depend on the queries that are answered together, as batches on a GPU do."""

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        digits = zlib.crc32(b"".join(query.images[0].tobytes() for query in queries))
        return [
            Answer(answer.id, f"0.5{digits}", prompt_tokens=query.images[0].size)
            for query, answer in zip(queries, super().answer_batch(queries), strict=True)
        ]


class SingleBackend(FakeBackend):
    """Takes several queries at once and answers them one after the other, the last one first."""

    forms_batches = False

    def answer(self, queries: Iterable[Query]) -> Iterator[Answer]:
        taken: list[Query] = []
        for query in queries:
            taken.append(query)
            if len(taken) == self.batch_size:
                yield from self.answer_batch([taken.pop()])
        while taken:
            yield from self.answer_batch([taken.pop()])


def make_queries(n_queries: int, video: str = "v", seed: int = 0) -> list[Query]:
    return [
        Query(
            QueryId(video, index, "red car", "key"),
            (np.full((4, 4, 3), index % 256, dtype=np.uint8),),
            f"Is there a red car in picture {index}?",
            sampling=Sampling(seed=seed),
        )
        for index in range(n_queries)
    ]


QUERIES = make_queries(12)
Logs = pytest.LogCaptureFixture


def open_store(path: Path, **limits: int) -> AnswerStore:
    store = AnswerStore(path, StoreLimits(**limits))
    store.open()
    return store


def answer_all(path: Path, queries: Sequence[Query], backend: FakeBackend, **limits: int) -> list[Answer]:
    """Return the answers, sorted by query, of a run that opens and closes the store."""
    store = open_store(path, **limits)
    backend.load()
    try:
        return sorted(StoredAnswers(backend, store).answer(queries), key=lambda answer: answer.id)
    finally:
        store.close()


def change(path: Path, statement: str, *values: object) -> None:
    """Execute a statement in the file of a store, as another program could."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


def use_first_schema(path: Path) -> None:
    """Convert the file of a store to the first schema, in which early versions wrote it."""
    rows = sqlite3.connect(path).execute("SELECT key, answer FROM stored_answers").fetchall()
    path.unlink()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(FIRST_SCHEMA)
        connection.executemany("INSERT INTO answers VALUES (?, ?)", rows)
    connection.close()
    path.chmod(0o644)


def run_twice(path: Path, caplog: Logs) -> tuple[list[int], list[str]]:
    """Run twice, check the answers, and return how many queries each run asked and the warning of each."""
    loaded = FakeBackend()
    loaded.load()
    n_asked, warnings = [], []
    for _ in range(2):
        caplog.clear()
        backend = FakeBackend()
        assert answer_all(path, QUERIES, backend) == loaded.answer_batch(QUERIES)
        n_asked.append(sum(backend.calls))
        assert len(caplog.records) <= 1
        warnings.append(caplog.messages[0] if caplog.messages else "")
    return n_asked, warnings
