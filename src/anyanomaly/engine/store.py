"""The answer store: a query that a backend has answered, in this run or an earlier one, is not sent to it again.

An SQLite file, keyed by content: SHA-256 over the question, the images' bytes, the sampling (its seed included) and the
backend's fingerprint. Answers are stored as soon as the backend asks for more, so a killed run loses one batch.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from anyanomaly.api.backend import Backend
from anyanomaly.api.options import Options
from anyanomaly.errors import BackendError
from anyanomaly.types import Answer, Query, QueryId

log = logging.getLogger(__name__)


def query_key(query: Query, fingerprint: str) -> str:
    """Return the key of a query's answer: equal for equal content, whichever video or segment it is from."""
    sampling = query.sampling
    head = {
        "fingerprint": fingerprint,
        "prompt": query.prompt,
        "system": query.system,
        "text_first": query.text_first,
        "sampling": [
            sampling.max_tokens,
            sampling.temperature,
            sampling.top_p,
            sampling.repetition_penalty,
            sampling.seed,
            sampling.choices,
        ],
        "shapes": [image.shape for image in query.images],
    }
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for image in query.images:
        digest.update(image.data)
    return digest.hexdigest()


class AnswerStore:
    """Answers on disk. When the store fails (disk full, folder not writable), it warns once and stores nothing more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open or create the file; several runs may share it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, timeout=30)
            self._connection.execute("PRAGMA journal_mode=WAL")  # readers and a writer at once; safe under kill -9
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def get(self, key: str, query_id: QueryId) -> Answer | None:
        """Return the answer stored under ``key``, as an answer to ``query_id``; None when there is none."""
        if self._connection is None:
            return None
        try:
            row = self._connection.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        return Answer(id=query_id, **json.loads(row[0])) if row else None

    def put(self, answers: Iterable[tuple[str, Answer]]) -> None:
        """Store answers, all or none of them."""
        if self._connection is None:
            return
        rows = [(key, json.dumps(_fields(answer))) for key, answer in answers]
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            self._give_up(error)

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _give_up(self, error: Exception) -> None:
        log.warning(
            "The answer store %s cannot be used (%s); the answers of this run are not stored. Set ANYANOMALY_CACHE_DIR "
            "to a writable folder, or turn the store off with --no-cache.",
            self._path,
            error,
        )
        self.close()


def _fields(answer: Answer) -> dict[str, object]:
    return {
        "text": answer.text,
        "value": answer.value,
        "logprobs": dict(answer.logprobs) if answer.logprobs is not None else None,
        "prompt_tokens": answer.prompt_tokens,
        "output_tokens": answer.output_tokens,
    }


def unknown_answer(answer: Answer) -> BackendError:
    """Return the error for an answer whose query was not asked, or was answered before."""
    return BackendError(
        f"The backend answered a query that does not wait for an answer: {answer.id}. Report this bug to its author."
    )


class StoredAnswers:
    """Answers a stream of queries from the store, and by the backend where the store has no answer.

    A query equal to one that the backend is answering waits for that answer. ``n_asked`` counts the queries that
    reached the backend, ``n_reused`` those answered from the store or by an equal query.
    """

    def __init__(self, backend: Backend[Options], store: AnswerStore | None) -> None:
        self._backend = backend
        self._store = store
        self.n_asked = self.n_reused = 0

    def answer(self, queries: Iterable[Query]) -> Generator[Answer, None, None]:
        """Yield an answer to every query once, in any order.

        :raises BackendError: when the backend fails or answers an unknown query.
        """
        if self._store is None:
            yield from self._backend.answer(self._count_asked(queries))
            return
        store, fingerprint = self._store, self._backend.fingerprint
        stream = iter(queries)
        for query in stream:  # answers of an earlier run do not wait for the backend
            stored = store.get(query_key(query, fingerprint), query.id)
            if stored is None:
                yield from self._answer_misses(chain([query], stream), store, fingerprint)
                return
            self.n_reused += 1
            yield stored

    def _answer_misses(self, queries: Iterable[Query], store: AnswerStore, fingerprint: str) -> Iterator[Answer]:
        ready: list[Answer] = []  # read from the store while the backend took queries
        keys: dict[QueryId, str] = {}  # in flight
        waiting: dict[str, list[QueryId]] = {}  # equal queries, per key in flight
        fresh: list[tuple[str, Answer]] = []  # answered, not yet stored

        def misses() -> Iterator[Query]:
            for query in queries:
                # Stored when the backend asks for more, so in whole batches: a run that is killed and started
                # again then forms the same batches, and gives the same numbers to the last bit.
                store.put(fresh)
                fresh.clear()
                key = query_key(query, fingerprint)
                if key in waiting:
                    waiting[key].append(query.id)
                elif stored := store.get(key, query.id):
                    self.n_reused += 1
                    ready.append(stored)
                else:
                    self.n_asked += 1
                    keys[query.id] = key
                    waiting[key] = []
                    yield query

        try:
            for answer in self._backend.answer(misses()):
                key = keys.pop(answer.id, None)
                if key is None:
                    raise unknown_answer(answer)
                fresh.append((key, answer))
                yield answer
                for equal_id in waiting.pop(key):
                    self.n_reused += 1
                    yield replace(answer, id=equal_id)
                yield from ready
                ready.clear()
            yield from ready
        finally:
            store.put(fresh)

    def _count_asked(self, queries: Iterable[Query]) -> Iterator[Query]:
        for query in queries:
            self.n_asked += 1
            yield query
