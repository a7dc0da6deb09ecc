"""Run one command in a forked process: its own session, files for its output, limits, and a measured end.

The parent has imported anyanomaly and what it loads, so a command costs a fork instead of a start of Python.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import re
import resource
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

CHILDREN_END_S = 5.0
MEMORY_CAP_GIB = 6
"""Above the limit that is judged, so that a command that exceeds it is measured, and the machine survives."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    command: str
    code: int  # negative: killed by this signal
    out: bytes
    err: bytes
    wall_s: float
    peak_mib: float  # of the process and its children
    is_timed_out: bool
    has_children_left: bool  # 5 s after its end


def adopt_orphans() -> None:
    """Make this process the parent of its orphaned grandchildren, so that it sees which of them are left."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def start(action: Callable[[], object], folder: Path, environment: Mapping[str, str], stdin: int | None = None) -> int:
    """Fork a process that runs ``action`` in ``folder/work``, and return its id.

    Its output goes to ``folder/stdout`` and ``folder/stderr``; its exit code is what Python would give. A signal before
    ``action`` begins ends it as the system does, without a word of Python.
    """
    for name in ("stdout", "stderr"):
        (folder / name).touch()  # a signal may end the process before it opens them
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    process_id = os.fork()
    if process_id:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return process_id
    code = 99
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.setsid()
        os.chdir(folder / "work")
        os.environ.clear()
        os.environ.update(environment)
        _redirect(folder, stdin)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_CAP_GIB << 30, MEMORY_CAP_GIB << 30))
        code = _run_as_interpreter(action)
    finally:
        os._exit(code)


def _redirect(folder: Path, stdin: int | None) -> None:
    source = os.open(os.devnull, os.O_RDONLY) if stdin is None else stdin
    out, err = (os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in ("stdout", "stderr"))
    for descriptor, target in ((source, 0), (out, 1), (err, 2)):
        os.dup2(descriptor, target)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115


def _run_as_interpreter(action: Callable[[], object]) -> int:
    """Run ``action`` and what the interpreter runs at its end, and return the exit code."""
    code = 0
    try:
        action()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except KeyboardInterrupt:
        traceback.print_exc()
        code = 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except OSError:
        code = 120
    return code & 0xFF


def wait(
    process_id: int, command: str, folder: Path, time_limit_s: float, known_children: frozenset[int] = frozenset()
) -> Outcome:
    """Wait for a process of ``start``, and end it and its children where they outlast their time."""
    start_s = time.monotonic()
    with os.fdopen(os.pidfd_open(process_id)) as watch:
        is_timed_out = not select.select([watch], [], [], time_limit_s)[0]
    if is_timed_out:
        os.kill(process_id, signal.SIGKILL)
    _, status, usage = os.wait4(process_id, 0)
    wall_s = time.monotonic() - start_s
    left = _wait_for_children(known_children, 0.2 if is_timed_out else CHILDREN_END_S)
    return Outcome(
        command=command,
        code=os.waitstatus_to_exitcode(status),
        out=(folder / "stdout").read_bytes(),
        err=(folder / "stderr").read_bytes(),
        wall_s=wall_s,
        peak_mib=usage.ru_maxrss / 1024,
        is_timed_out=is_timed_out,
        has_children_left=bool(left) and not is_timed_out,
    )


def wait_for_handlers(process_id: int) -> None:
    """Wait until a process handles SIGINT, SIGTERM and SIGHUP itself, or has ended."""
    handled = sum(1 << (number - 1) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    path = Path(f"/proc/{process_id}/status")
    while "State:\tZ" not in (status := path.read_text()):
        caught = re.search("SigCgt:\t([0-9a-f]+)", status)
        if caught and int(caught[1], 16) & handled == handled:
            break
        time.sleep(0.001)


def children(process_id: int) -> set[int]:
    """Return the ids of the children of a process."""
    try:
        return {int(word) for word in Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()}
    except OSError:
        return set()


def _wait_for_children(known: frozenset[int], limit_s: float) -> set[int]:
    """Reap orphans that were adopted; kill and return those that are left after ``limit_s``."""
    deadline_s = time.monotonic() + limit_s
    while left := children(os.getpid()) - known:
        for orphan in left:
            os.waitpid(orphan, os.WNOHANG)
        if time.monotonic() > deadline_s:
            break
        time.sleep(0.01)
    left = children(os.getpid()) - known
    for orphan in left:
        os.kill(orphan, signal.SIGKILL)
        os.waitpid(orphan, 0)
    return left
