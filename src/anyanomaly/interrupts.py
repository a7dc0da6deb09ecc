"""SIGINT, SIGTERM and SIGHUP end a command in order: results so far, summary, exit code 128 + signal.

The first signal raises `Interrupted` in the main thread. `Deferred` holds it back where it would lose data, and `check`
raises it again when it was held back or when somebody swallowed it. Whatever does not end within `GRACE_S` seconds,
such as native code that does not return, is ended by a thread, with all processes that this one has started. A second
Ctrl-C ends at once.

``install`` comes before all other imports of a command: until then a signal ends Python its own way. So this module
imports only what Python has loaded anyway, and no ``threading``.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

GRACE_S = 3.5
"""Seconds from the first signal until this process ends the processes that it has started, and then itself."""
EXIT_LIMIT_S = 10.0
"""Seconds that Python's own end may take: a plugin's thread or exit function may never return."""
_REPEAT_S = 0.05
"""A second SIGINT that comes sooner is not a second Ctrl-C: ``timeout`` sends its signal twice."""
_KILL_AFTER_S = 0.5  # from SIGTERM to SIGKILL for processes that are left


class Interrupted(KeyboardInterrupt):
    """A signal has asked this process to end. Only code that ends the command may catch it."""


class _State:
    """What this process knows of its signals."""

    main_thread = 0  # set by `install`; 0: signals are not handled here
    signal_number = 0  # the first signal; 0: none
    n_deferred = 0  # open `Deferred` blocks
    ended = False  # the command has ended, and only Python's own end is left


def install() -> None:
    """Handle the signals from now on, except those that the caller ignores (``nohup``). Call it in the main thread."""
    numbers = frozenset(number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN)
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    _State.main_thread = _thread.get_ident()
    sys.unraisablehook = _report_unraisable
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    _thread.start_new_thread(_watch, (read_end, numbers))
    for number in numbers:
        signal.signal(number, _handle)
    os.register_at_fork(after_in_child=lambda: _uninstall(numbers))


def is_installed() -> bool:
    """Return whether signals are handled here. If not, any ``KeyboardInterrupt`` may come from the user."""
    return bool(_State.main_thread)


def received() -> int:
    """Return the number of the signal that asked this process to end; 0: none."""
    return _State.signal_number


def is_pending() -> bool:
    """Return whether the command is to end, and this is the thread that ends it."""
    return bool(_State.signal_number) and _is_main_thread()


def check() -> None:
    """Raise the interruption again when it was held back or swallowed.

    On other threads, and while an exception is handled, it does nothing: then the command ends already.

    :raises Interrupted: when a signal has asked this process to end.
    """
    if is_pending() and not _State.n_deferred and sys.exc_info()[0] is None:
        raise Interrupted


class Deferred:
    """A ``with`` block that writes data or frees resources: a signal is held back until its end."""

    def __enter__(self) -> None:
        _State.n_deferred += _is_main_thread()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _State.n_deferred -= _is_main_thread()
        if kind is None:
            check()


def end_command() -> None:
    """End the part in which a signal raises `Interrupted`: from now on it ends this process at once."""
    _State.ended = True


def leave(code: int) -> NoReturn:
    """Exit with ``code``, or with that of the signal if there was one."""
    end_command()
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105  # contextlib would be one more import
            stream.flush()
        except (OSError, ValueError, AttributeError):  # full, closed, or not there at all
            pass
    if _State.signal_number:
        _end_descendants()
        code = 128 + _State.signal_number
    _thread.start_new_thread(_exit_after, (EXIT_LIMIT_S, code))
    if _has_stuck_thread():  # it would crash in Python's own end, which is therefore cut short
        import atexit

        atexit._run_exitfuncs()
        os._exit(code)
    sys.exit(code)


def _has_stuck_thread() -> bool:
    """Return whether a thread of ours did not stop: a reader that waits for a camera, a plugin that hangs."""
    threading = sys.modules.get("threading")
    return threading is not None and any(thread.name.startswith("anyanomaly-") for thread in threading.enumerate())


def _is_main_thread() -> bool:
    return _thread.get_ident() == _State.main_thread


def _uninstall(numbers: frozenset[int]) -> None:
    """Let signals end a forked child as they end any process; its parent must not take them for its own."""
    signal.set_wakeup_fd(-1)
    _State.main_thread = 0
    for number in numbers:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def _handle(number: int, _: object) -> None:
    if _State.ended:
        os._exit(128 + number)
    if _State.signal_number:
        return  # the command ends already; `_watch` ends it at once after a second Ctrl-C
    _State.signal_number = number
    if not _State.n_deferred:
        raise Interrupted


def _watch(pipe: int, numbers: frozenset[int]) -> None:
    """Receive signals even while native code keeps the main thread, and end the process when it is time."""
    first, first_s = 0, 0.0
    while True:
        (number,) = os.read(pipe, 1)
        if number not in numbers:
            continue
        if not first:
            first, first_s = number, time.monotonic()
            _thread.start_new_thread(_end_after_grace, (number,))
        elif number == signal.SIGINT and time.monotonic() - first_s > _REPEAT_S:
            _end(first)


def _end_after_grace(number: int) -> None:
    time.sleep(GRACE_S)
    _end(number)


def _end(number: int) -> None:
    _end_descendants()
    if not _State.ended:
        try:  # noqa: SIM105  # contextlib would be one more import
            os.write(2, b"anyanomaly: interrupted; it did not end in time. Results so far are in the .partial files.\n")
        except OSError:  # the terminal is gone
            pass
    os._exit(128 + number)


def _exit_after(seconds: float, code: int) -> None:
    time.sleep(seconds)
    os._exit(code)


def _end_descendants() -> None:
    from anyanomaly.processes import descendants, end_processes

    end_processes(descendants(os.getpid()), _KILL_AFTER_S)


def _report_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Report what ``__del__`` raised as Python does, except an interruption, which `check` raises again."""
    if unraisable.exc_type is not Interrupted:
        sys.__unraisablehook__(unraisable)
