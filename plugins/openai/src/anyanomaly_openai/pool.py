"""Some pieces of work at once, each on a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def in_flight(work: Callable[[In], Out], items: Iterable[In], most: int) -> Iterator[Out]:
    """Yield ``work(item)`` for each item as they finish, in any order.

    Takes at most ``most`` items ahead of what it yielded. What ``work`` raises is raised here, after what has
    finished by then. The threads end with the iterator, or with the process: an interrupt waits for no answer.
    """
    asked: SimpleQueue[In | None] = SimpleQueue()
    done: SimpleQueue[tuple[Out, None] | tuple[None, BaseException]] = SimpleQueue()

    def serve() -> None:
        while (item := asked.get()) is not None:
            try:
                done.put((work(item), None))
            except BaseException as error:
                done.put((None, error))

    stream = iter(items)
    n_threads = n_open = 0
    ended = False
    failure: BaseException | None = None
    try:
        while True:
            while not ended and n_open < most and done.empty():
                if (item := next(stream, None)) is None:
                    ended = True
                    break
                asked.put(item)
                n_open += 1
                if n_threads < n_open:
                    threading.Thread(target=serve, name="anyanomaly-openai", daemon=True).start()
                    n_threads += 1
            if not n_open:
                return
            result, error = done.get()
            n_open -= 1
            if error is not None:
                failure, ended = failure or error, True
            else:
                yield result  # type: ignore[misc]  # None only beside an error
            if failure is not None and done.empty():
                raise failure
    finally:
        for _ in range(n_threads):
            asked.put(None)
