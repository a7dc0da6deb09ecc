"""The processes that this one has started, and those that they have started: find and end them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

_CLEANER = b"multiprocessing.resource_tracker"
"""A helper of Python that frees shared memory when its parent has ended, and then ends by itself."""


def descendants(pid: int) -> list[int]:
    """Return the ids of the children of a process and of theirs; empty where the system has no ``/proc``."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if entry.isdecimal() and (parent := _parent(entry)):
            children.setdefault(parent, []).append(int(entry))
    pids: list[int] = []
    waiting = [pid]
    while waiting:
        offspring = children.get(waiting.pop(), [])
        pids += offspring
        waiting += offspring
    return pids


def end_processes(pids: Iterable[int], timeout_s: float) -> None:
    """Ask processes to end, wait up to ``timeout_s``, and kill those that are left."""
    remaining = [pid for pid in pids if not _is_cleaner(pid)]
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        for pid in remaining:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal_number)
        deadline_s = time.monotonic() + timeout_s
        while (remaining := [pid for pid in remaining if _is_running(pid)]) and time.monotonic() < deadline_s:
            time.sleep(0.02)


def _parent(pid: str) -> int:
    """Return the id of the parent of a process; 0 when the process has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])  # a name in brackets may hold spaces
    except (OSError, IndexError):
        return 0


def _is_running(pid: int) -> bool:
    """Return whether a process runs; one that has ended and is not yet waited for does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (OSError, IndexError):
        return False


def _is_cleaner(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return _CLEANER in file.read()
    except OSError:
        return False
