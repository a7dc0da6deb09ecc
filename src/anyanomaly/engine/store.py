"""The answer store: a query that a backend has answered, in this run or an earlier one, is not sent to it again.

An SQLite file, keyed by content: SHA-256 over the question, the images' bytes, the sampling (its seed included) and the
backend's fingerprint. ``store_file`` opens it, ``store_rows`` reads its rows, ``store_upkeep`` limits its size.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from anyanomaly.engine.store_file import open_store_file, translate_errors
from anyanomaly.engine.store_rows import ROW_FORMAT, checksum, decode_answer, encode_answer
from anyanomaly.engine.store_upkeep import StoreLimits, trim
from anyanomaly.errors import InputError
from anyanomaly.outside_text import storable_text
from anyanomaly.types import Answer, Query, QueryId

log = logging.getLogger(__name__)

DAY_S = 86_400  # the last use of an answer is recorded once a day
N_TRIM = 1000  # answers after which the limits are checked: a run on a camera may never end
TRIM_STEPS, TRIM_STEPS_AT_END = 20, 500  # so that the store shrinks faster than it grows, and a run ends within seconds


def query_key(query: Query, fingerprint: str) -> str:
    """Return the key of a query's answer: equal for equal content, whichever video or segment it is from.

    Keys are the same in all versions of this program, because stored answers are found by them.
    """
    sampling = query.sampling
    head = {
        "fingerprint": fingerprint,
        "prompt": query.prompt,
        "system": query.system,
        "text_first": query.text_first,
        "sampling": [
            sampling.max_tokens,
            float(sampling.temperature),  # 0 and 0.0 are one temperature
            float(sampling.top_p),
            float(sampling.repetition_penalty),
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
    """Answers on disk. No fault of the file ends a run: it costs one warning.

    An answer that cannot be read is asked again and replaced. A file that cannot be read is not used, and one that
    cannot be written (disk full, another process has locked it) is only read.
    """

    def __init__(self, path: Path, limits: StoreLimits | None = None) -> None:
        """:param limits: of size and age; None: no limits."""
        self._path = path
        self._limits = limits or StoreLimits()
        self._connection: sqlite3.Connection | None = None
        self._reset()

    def _reset(self) -> None:
        self._is_writable = True
        self._has_warned = False
        self._n_unreadable = 0
        self._n_put = 0
        self._used: list[str] = []  # keys of answers whose last use is to be recorded

    def open(self) -> None:
        """Open or create the file; several runs may share it."""
        self._reset()
        try:
            self._connection = open_store_file(self._path)
        except InputError as error:
            self._warn(f"{error} This run asks every question.")

    def get(self, key: str, query_id: QueryId) -> Answer | None:
        """Return the answer stored under ``key``, as an answer to ``query_id``; None when there is none."""
        if self._connection is None:
            return None
        try:
            with translate_errors(self._path):
                answer = self._read(self._connection, key, query_id)
        except InputError as error:
            self._warn(f"{error} The rest of this run asks every question.")
            self._close_file()
            return None
        if len(self._used) >= N_TRIM:
            self._record_use()
        return answer

    def put(self, answers: Sequence[tuple[str, Answer]], fingerprint: str) -> None:
        """Store answers under their keys, all or none of them, but not those that could not be read again.

        :param fingerprint: of their backend.
        """
        now, backend = int(time.time()), storable_text(fingerprint)
        rows = [
            (key, ROW_FORMAT, content.decode(), checksum(key.encode(), content), backend, now, now)
            for key, answer in answers
            if (content := encode_answer(answer)) is not None
        ]
        if not rows:
            return
        insert = "INSERT OR REPLACE INTO stored_answers VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
        self._write(lambda connection: connection.executemany(insert, rows))
        self._n_put += len(rows)
        if self._n_put >= N_TRIM:
            self._n_put = 0
            self._trim(TRIM_STEPS)

    def close(self) -> None:
        """Keep the file within its limits, and close it. Warn when it had answers that could not be read."""
        self._trim(TRIM_STEPS_AT_END)
        self._close_file()
        if self._n_unreadable:
            self._warn(
                f"The answer store {self._path} has damaged answers ({self._n_unreadable} found). The run asked again. "
                "Start with an empty store: anyanomaly cache clear."
            )
            self._n_unreadable = 0

    def _read(self, connection: sqlite3.Connection, key: str, query_id: QueryId) -> Answer | None:
        select = "SELECT format, answer, checksum, used_at FROM stored_answers WHERE key = ?"
        try:
            row = connection.execute(select, (key,)).fetchone()
        except sqlite3.DataError:  # larger than MAX_ROW_BYTES
            self._n_unreadable += 1
            return None
        if row is None:
            return None
        row_format, content, stored_checksum, used_at = row
        is_intact = isinstance(content, bytes) and stored_checksum == checksum(key.encode(), content)
        answer = decode_answer(content, query_id) if row_format == ROW_FORMAT and is_intact else None
        if answer is None:
            self._n_unreadable += 1
        elif not isinstance(used_at, int) or time.time() - used_at > DAY_S:
            self._used.append(key)
        return answer

    def _write(self, change: Callable[[sqlite3.Connection], object]) -> None:
        """Change the file, unless that has failed before."""
        if self._connection is None or not self._is_writable:
            return
        try:
            with translate_errors(self._path), self._connection:
                change(self._connection)
        except InputError as error:
            self._is_writable = False
            self._warn(f"{error} The answers of this run are not stored.")

    def _record_use(self) -> None:
        update = "UPDATE stored_answers SET id = (SELECT max(id) + 1 FROM stored_answers), used_at = ? WHERE key = ?"
        rows = [(int(time.time()), key) for key in self._used]
        self._used.clear()
        if rows:
            self._write(lambda connection: connection.executemany(update, rows))

    def _trim(self, max_steps: int) -> None:
        self._record_use()
        if self._limits != StoreLimits():
            self._write(lambda connection: trim(connection, self._limits, max_steps))

    def _close_file(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _warn(self, message: str) -> None:
        if not self._has_warned:  # once per run
            self._has_warned = True
            log.warning("%s", message)
