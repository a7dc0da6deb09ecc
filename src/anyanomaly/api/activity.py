"""When an engine has queries to work on, and when it waits for them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Times(NamedTuple):
    """How an engine spent the time from its first query to its last answer."""

    span_s: float = 0.0  # all of it
    waiting_s: float = 0.0  # without a query to work on

    def plus(self, other: Times) -> Times:
        """Return the times of two runs together."""
        return Times(self.span_s + other.span_s, self.waiting_s + other.waiting_s)


class Activity:
    """Measures when at least one query is with an engine. It may be used from several threads."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        """:param now: returns a time in seconds that never goes back."""
        self._now = now
        self._lock = threading.Lock()
        self._n_queries = 0
        self._first_s: float | None = None  # the first query; None: there was none
        self._since_s = self._last_s = 0.0  # the first query after a time without any; the last answer
        self._busy_s = 0.0  # up to `_last_s`

    def begin(self) -> None:
        """Count a query that the engine can work on from now on."""
        with self._lock:
            if not self._n_queries:
                self._since_s = self._now()
                self._first_s = self._since_s if self._first_s is None else self._first_s
            self._n_queries += 1

    def end(self) -> None:
        """Count a query that the engine has finished, with an answer or without."""
        with self._lock:
            self._n_queries -= 1
            if not self._n_queries:
                self._last_s = self._now()
                self._busy_s += self._last_s - self._since_s

    @contextlib.contextmanager
    def work(self) -> Iterator[None]:
        """Return a context manager that counts a query while its block runs."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    @property
    def n_queries(self) -> int:
        """Queries that the engine can work on now."""
        with self._lock:
            return self._n_queries

    def times(self) -> Times:
        """Return the times from the first query to the last answer, or to now while there are queries."""
        with self._lock:
            if self._first_s is None:
                return Times()
            last_s, busy_s = self._last_s, self._busy_s
            if self._n_queries:
                last_s = self._now()
                busy_s += last_s - self._since_s
            return Times(last_s - self._first_s, max(0.0, last_s - self._first_s - busy_s))
