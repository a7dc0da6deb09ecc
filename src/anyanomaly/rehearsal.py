"""What comes from outside is read in a child process first: a crash, a hang or a memory bomb ends only the child.

One child serves all calls of a process, so that a call costs little more than the function itself. It ends with this
process, because its standard input does. ``docs/threat-model.md`` says which files are tried, and which are not.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from importlib import import_module
from typing import Any

from anyanomaly import errors
from anyanomaly.errors import AnyAnomalyError
from anyanomaly.isolation import child_environment, python_command

LIMIT_S = 30
DECODER_BYTES = 3 * 2**29
"""Enough for a decoder of 8K video."""

_PROGRAM = "from anyanomaly.rehearsal import _serve; _serve()"

_lock = threading.Lock()
_child: subprocess.Popen[bytes] | None = None
_owner = 0  # process that started the child: a fork must not use its pipes


def rehearse(
    target: str,
    *arguments: Any,
    name: str,
    error: type[AnyAnomalyError],
    max_bytes: int = DECODER_BYTES,
    limit_s: int = LIMIT_S,
) -> Any:
    """Call a function in the child process, and return what it has returned there; None when it raised another error.

    :param target: "package.module:function"; what JSON cannot hold of its result is None.
    :param arguments: values that JSON can hold.
    :param name: of the file, for messages. :param error: class of the error when the file ends the child.
    :param max_bytes: memory that the function may take. :param limit_s: time that it may take, in seconds.
    :raises AnyAnomalyError: the error that the function raised, or ``error``: the library crashed, or took more time
        or memory.
    """
    request = json.dumps([_current_folder(), max_bytes, limit_s, target, *arguments]).encode() + b"\n"
    with _lock:
        child = _running_child()
        assert child.stdin is not None  # both are pipes
        assert child.stdout is not None
        try:
            child.stdin.write(request)
            child.stdin.flush()
            reply = child.stdout.readline()
        except BrokenPipeError:
            reply = b""
        except BaseException:  # Ctrl-C: the reply would be read as that of the next call
            _stop()
            raise
        if not reply:
            raise error(f"{name} {_describe_end(child.wait(), limit_s)}. Get it again, or use another one.")
    kind, content = json.loads(reply)
    if kind == "memory":
        raise error(f"{name} takes more than {max_bytes / 2**30:.2g} GiB of memory to read, so it is not used.")
    if kind != "result":
        raise getattr(errors, kind, error)(content)
    return content


def _running_child() -> subprocess.Popen[bytes]:
    global _child, _owner
    if _child is not None and _child.poll() is not None:
        _stop()
    if _child is None or _owner != os.getpid():
        environment = {**child_environment(), "GGML_NO_BACKTRACE": "1"}  # else an abort waits for a debugger
        _child = subprocess.Popen(
            python_command("-c", f"import sys; sys.path[:] = {_module_folders()!a}; {_PROGRAM}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches only this process, which then ends the child
        )
        _owner = os.getpid()
    return _child


def _module_folders() -> list[str]:
    """Return where this process finds modules, also what a program has added, but never the current folder as such.

    The inside of a package does not count: OpenCV puts its own folder in front while another thread imports it, and its
    ``typing`` would then hide Python's.
    """
    return [folder for folder in sys.path if os.path.isabs(folder) and not _is_package(folder)]


def _is_package(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, "__init__.py"))


def _current_folder() -> str:
    """Return the folder that relative paths start from; "" when it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""


@atexit.register
def _stop() -> None:
    global _child
    if _child is not None and _owner == os.getpid():
        _child.kill()
        with suppress(BrokenPipeError):
            _child.communicate()  # waits, and closes the pipes
    _child = None


def _describe_end(exit_code: int, limit_s: int) -> str:
    if exit_code == -signal.SIGALRM:
        return f"takes more than {limit_s} s to read"
    if exit_code == -signal.SIGKILL:
        return "ended the process that tried to read it (possibly out of memory)"
    if exit_code >= 0:
        return f"ended the process that tried to read it (exit code {exit_code})"
    return f"crashes the library that reads it ({signal.Signals(-exit_code).name}), so it is damaged"


def _serve() -> None:
    """Answer requests until standard input ends.

    A reply is "result" with a value, "memory", or the class of an error with its message.
    """
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    own_limit, highest_limit = resource.getrlimit(resource.RLIMIT_DATA)  # `ulimit -d` of the user
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no reply
    for request in sys.stdin.buffer:
        folder, max_bytes, limit_s, target, *arguments = json.loads(request)
        with suppress(OSError):
            os.chdir(folder)
        module, _, function = target.partition(":")
        with suppress(Exception):  # imported without limits: libraries start threads, and expect memory for them
            import_module(module)
        limits = (limit for limit in (_used_bytes() + max_bytes, own_limit) if limit != resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_DATA, (min(limits), highest_limit))
        signal.alarm(limit_s)  # ends the process, also in the middle of native code
        reply = _reply(module, function, arguments)
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_DATA, (own_limit, highest_limit))
        with suppress(BrokenPipeError):
            replies.write(json.dumps(reply, default=lambda _: None).encode() + b"\n")
            replies.flush()


def _used_bytes() -> int:
    """Return the memory of this process's data; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _reply(module: str, function: str, arguments: list[Any]) -> tuple[str, Any]:
    try:
        return "result", getattr(import_module(module), function)(*arguments)
    except AnyAnomalyError as error:
        return type(error).__name__, str(error)
    except MemoryError:
        return "memory", None
    except Exception:  # the caller meets it again, where its traceback helps
        return "result", None
