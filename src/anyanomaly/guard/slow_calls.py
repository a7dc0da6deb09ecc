"""Reports calls of plugins that take long, so that nobody waits without knowing for what.

Nothing is cut short: models load for minutes, and a camera may be silent.
"""

from __future__ import annotations

import _thread
import logging
import time
from contextlib import AbstractContextManager

log = logging.getLogger(__name__)

NOTICE_S = 60.0
"""Seconds without a result until a notice; the next comes after twice as many, and so on."""
POLL_S = 1.0


class _Call:
    """A ``with`` block: a call of a component, or a part of one that waits for others and is not reported.

    A class, because a generator with ``contextmanager`` costs more, and every segment passes through several.
    """

    __slots__ = ("_calls", "_label", "_method", "notice_s", "start_s")

    def __init__(self, label: str, method: str, notice_s: float) -> None:
        self._label = label
        self._method = method
        self.notice_s = notice_s

    @property
    def name(self) -> str:
        """Component and method."""
        return f"{self._label}: {self._method}"

    def __enter__(self) -> None:
        if _lock.acquire(blocking=False):
            _thread.start_new_thread(_report, ())
        self.start_s = time.monotonic()
        self._calls = _open_calls.setdefault(_thread.get_ident(), [])
        self._calls.append(self)

    def __exit__(self, *_: object) -> None:
        self._calls.pop()


_open_calls: dict[int, list[_Call]] = {}
"""By thread: its open calls, the innermost last. Only that one is reported, because the others wait for it."""
_lock = _thread.allocate_lock()  # held by the thread that reports, from the first call until the process ends


def reported(label: str, method: str) -> AbstractContextManager[None]:
    """Report a block, in which ``method`` of a component runs, when it takes long. ``label`` names the component."""
    return _Call(label, method, NOTICE_S)


def not_reported() -> AbstractContextManager[None]:
    """Leave out a block within a reported one: here a component waits for others."""
    return _Call("", "", float("inf"))


def _report() -> None:
    while True:
        time.sleep(POLL_S)
        for calls in list(_open_calls.values()):
            for call in calls[-1:]:  # a copy: its thread goes on
                if time.monotonic() - call.start_s >= call.notice_s:
                    log.warning("%s has taken %.0f s so far; waiting.", call.name, call.notice_s)
                    call.notice_s *= 2
