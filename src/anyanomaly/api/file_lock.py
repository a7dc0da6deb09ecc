"""Locks on open files and folders, which the system releases when their process ends in any way."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from anyanomaly.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_locked_descriptors: set[int] = set()


class LockState(Enum):
    """Whether a lock was taken."""

    LOCKED = "locked"
    BUSY = "busy"  # another process, or another output of this one, has it
    UNSUPPORTED = "unsupported"  # by this file system


def take_lock(descriptor: int) -> LockState:
    """Lock an open file or folder without waiting; `release_lock` or the end of the process releases it."""
    if fcntl is None:
        return LockState.UNSUPPORTED
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return LockState.BUSY if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else LockState.UNSUPPORTED
    _locked_descriptors.add(descriptor)
    return LockState.LOCKED


def release_lock(descriptor: int) -> None:
    """Close a file or folder, locked or not."""
    _locked_descriptors.discard(descriptor)
    os.close(descriptor)


def warn_without_lock(path: Path) -> None:
    """Log that nothing keeps a second run from writing to ``path``."""
    logging.getLogger(__name__).warning(
        "The file system of %s has no locks: do not start a second run with this output.", path
    )


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Make a folder if it is missing, and keep other runs from writing to it.

    :raises OutputError: when another run writes to it, or when it cannot be made.
    """
    descriptor = _open_folder(folder)
    try:
        match LockState.UNSUPPORTED if descriptor is None else take_lock(descriptor):
            case LockState.BUSY:
                raise OutputError(
                    f"Cannot write to {folder}: another run is writing to it. Wait for its end, or use another folder."
                )
            case LockState.UNSUPPORTED:
                warn_without_lock(folder)
        yield
    finally:
        if descriptor is not None:
            release_lock(descriptor)


def _open_folder(folder: Path) -> int | None:
    """Make a folder and open it; None where folders cannot be opened.

    :raises OutputError: when it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return None if fcntl is None else os.open(folder, os.O_RDONLY)
    except FileExistsError as error:
        raise OutputError(f"Cannot write to {folder}: {error.filename} is not a folder. Use another path.") from error
    except OSError as error:
        raise OutputError(f"Cannot write to {folder}: {error.strerror}. Use another folder.") from error


def _drop_locks() -> None:
    """Let a forked child hold no lock: it may outlive a killed parent, whose lock would then never end."""
    if not _locked_descriptors:
        return
    null_device = os.open(os.devnull, os.O_RDWR)
    for descriptor in _locked_descriptors:
        os.dup2(null_device, descriptor, inheritable=False)
    os.close(null_device)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_locks)
