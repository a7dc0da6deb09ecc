"""Calls in parallel, each in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def map_in_threads(work: Callable[[In], Out], items: Iterable[In], limit: int) -> Iterator[Out]:
    """Yield ``work(item)`` for each item as the calls finish, in any order.

    At most ``limit`` items are taken from ``items`` and not yet yielded. An exception of ``work`` is raised here, after
    the results that are ready. The threads end with the iterator or with the process: an interrupt waits for no call.
    """
    pending: SimpleQueue[In | None] = SimpleQueue()
    results: SimpleQueue[tuple[Out, None] | tuple[None, BaseException]] = SimpleQueue()

    def serve() -> None:
        while (item := pending.get()) is not None:
            try:
                results.put((work(item), None))
            except BaseException as error:
                results.put((None, error))

    stream = iter(items)
    n_threads = n_open = 0
    ended = False
    failure: BaseException | None = None
    try:
        while True:
            while not ended and n_open < limit and results.empty():
                if (item := next(stream, None)) is None:
                    ended = True
                    break
                pending.put(item)
                n_open += 1
                if n_threads < n_open:
                    threading.Thread(target=serve, name="anyanomaly-openai", daemon=True).start()
                    n_threads += 1
            if not n_open:
                return
            result, error = results.get()
            n_open -= 1
            if error is not None:
                failure, ended = failure or error, True
            else:
                yield result  # type: ignore[misc]  # None only beside an error
            if failure is not None and results.empty():
                raise failure
    finally:
        for _ in range(n_threads):
            pending.put(None)
