"""Reports calls of plugins that take long, so that nobody waits without knowing for what.

Nothing is cut short: models load for minutes, and a camera may be silent.
"""

from __future__ import annotations

import _thread
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

NOTICE_S = 60.0
"""Seconds without a result until a notice; the next comes after twice as many, and so on."""
POLL_S = 1.0


class _Call:
    """A call that is open, or a part of one that waits for others and is not reported."""

    __slots__ = ("label", "notice_s", "start_s")

    def __init__(self, label: str, notice_s: float) -> None:
        self.label = label
        self.start_s = time.monotonic()
        self.notice_s = notice_s


_open_calls: dict[int, list[_Call]] = {}
"""By thread: its open calls, the innermost last. Only that one is reported, because the others wait for it."""
_lock = _thread.allocate_lock()  # held by the thread that reports, from the first call until the process ends


@contextmanager
def reported(label: str, method: str) -> Iterator[None]:
    """Report this block, in which ``method`` of a component runs, when it takes long. ``label`` names the component."""
    with _opened(_Call(f"{label}: {method}", NOTICE_S)):
        yield


@contextmanager
def not_reported() -> Iterator[None]:
    """Leave out this block within a reported one: here a component waits for others."""
    with _opened(_Call("", float("inf"))):
        yield


@contextmanager
def _opened(call: _Call) -> Iterator[None]:
    if _lock.acquire(blocking=False):
        _thread.start_new_thread(_report, ())
    calls = _open_calls.setdefault(_thread.get_ident(), [])
    calls.append(call)
    try:
        yield
    finally:
        calls.pop()


def _report() -> None:
    while True:
        time.sleep(POLL_S)
        for calls in list(_open_calls.values()):
            for call in calls[-1:]:  # a copy: its thread goes on
                if time.monotonic() - call.start_s >= call.notice_s:
                    log.warning("%s has taken %.0f s so far; waiting.", call.label, call.notice_s)
                    call.notice_s *= 2
