"""Run an iterator in advance on a thread, bounded in bytes: decoding and encoding continue while a backend answers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from anyanomaly import interrupts

T = TypeVar("T")

STOP_TIMEOUT_S = 30.0
"""Seconds to wait for the item that the thread is busy with when a run ends early, such as a batch of an encoder."""
INTERRUPT_TIMEOUT_S = 1.0
"""The same when the user has asked the command to end."""


class LookAhead(Generic[T]):
    """Iterates ``source`` on a separate thread; an exception of the source is raised in the consumer.

    The queue holds at most ``max_bytes``, or one item that alone is larger. Leaving the ``with`` block stops the
    thread, which closes the source. One that is stuck, for example in a read from a silent camera, is left behind.
    """

    def __init__(self, source: Iterator[T], size: Callable[[T], int], max_bytes: int) -> None:
        self._source = source
        self._size = size
        self._max_bytes = max_bytes
        self._items: deque[tuple[T, int]] = deque()
        self._held_bytes = 0
        self._error: BaseException | None = None
        self._done = self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._produce, name="anyanomaly-lookahead", daemon=True)

    def __enter__(self) -> LookAhead[T]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(INTERRUPT_TIMEOUT_S if interrupts.received() else STOP_TIMEOUT_S)

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                while not (self._items or self._done):
                    self._changed.wait()
                if not self._items:
                    if self._error:
                        raise self._error
                    return
                interrupts.check()
                item, n_bytes = self._items.popleft()
                self._held_bytes -= n_bytes
                self._changed.notify_all()
            yield item

    def _produce(self) -> None:
        try:
            for item in self._source:
                n_bytes = self._size(item)
                with self._changed:
                    while self._items and self._held_bytes + n_bytes > self._max_bytes and not self._stopped:
                        self._changed.wait()
                    if self._stopped:
                        break
                    self._items.append((item, n_bytes))
                    self._held_bytes += n_bytes
                    self._changed.notify_all()
        except BaseException as error:  # raised in the consumer
            self._error = error
        finally:
            if close := getattr(self._source, "close", None):
                close()
            with self._changed:
                self._done = True
                self._changed.notify_all()


@contextmanager
def run_ahead(source: Iterator[T], size: Callable[[T], int], max_bytes: int) -> Iterator[Iterator[T]]:
    """Return a context manager whose value yields the items of ``source``, which runs on a thread of its own.

    :param size: of an item, in bytes.
    :param max_bytes: of the items that wait, or one that alone is larger; 0: on this thread, item by item.
    """
    if not max_bytes:
        yield source
        return
    with LookAhead(source, size, max_bytes) as ahead:
        yield iter(ahead)
