"""A file that is written under another name, and gets its own name when it is complete."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from anyanomaly.api.file_lock import LockState, release_lock, take_lock, warn_without_lock
from anyanomaly.errors import OutputError

_MAX_TRIES = 100
_LOG = logging.getLogger(__name__)
_OPEN_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
"""Links are not followed: in a shared folder somebody else may have placed one to a file of the user."""


class PartialFile:
    """The text of ``path`` while it is incomplete, in ``NAME.partial`` beside it, which is also the lock of ``path``.

    A ``NAME.partial`` that an earlier run left is moved to ``NAME.1.partial``, the next to ``NAME.2.partial``.
    """

    def __init__(self, path: Path) -> None:
        """Create and lock the file.

        :param path: of the complete file, without symbolic links; its folder exists.
        :raises OutputError: when another run, or another output of this one, writes to ``path``, or ``path`` is
            read-only. :raises OSError: when the file cannot be created.
        """
        self._target = path
        self._target_stat: os.stat_result | None = None
        with contextlib.suppress(FileNotFoundError):
            self._target_stat = os.stat(path)
        if self._target_stat and not os.access(path, os.W_OK):
            raise OutputError(f"Cannot write {path}: it is read-only. Use another path, or make it writable.")
        self.path = path.with_name(f"{path.name}.partial")
        self._descriptor = self._open_locked()
        self._copy_permissions()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written."""
        return os.fstat(self._descriptor).st_size == 0

    def write(self, data: bytes) -> None:
        """Append.

        :raises OSError: when that fails; a part may be written.
        """
        write_fully(self._descriptor, data)

    def replace(self, data: bytes) -> None:
        """Replace all data at once: whenever the process is killed, either the old or the new data are there.

        :raises OSError: when that fails; the old data are kept.
        """
        if sys.platform == "win32":  # an open file cannot be renamed there
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            write_fully(self._descriptor, data)
            return
        self._swap(lambda _, descriptor: write_fully(descriptor, data))

    def rebuild(self, build: Callable[[Path, Path], None]) -> None:
        """Replace all data at once by a file that is made of them.

        :param build: gets the path of the data and that of an empty file, which it fills.
        :raises OSError: when that fails; the old data are kept.
        """
        self._restore()
        self._swap(lambda new_path, _: build(self.path, new_path))

    def _swap(self, fill: Callable[[Path, int], None]) -> None:
        """Put a new file in the place of this one, after ``fill`` wrote it through its path or its descriptor."""
        new_path = self.path.with_name(f"{self.path.name}.new")
        new_path.unlink(missing_ok=True)
        new_descriptor = os.open(new_path, _OPEN_FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            take_lock(new_descriptor)
            fill(new_path, new_descriptor)
            if sys.platform == "win32":  # an open file cannot be renamed there
                os.close(new_descriptor)
                os.close(self._descriptor)
                os.replace(new_path, self.path)
                new_descriptor = self._descriptor = os.open(self.path, _OPEN_FLAGS)
                return
            os.replace(new_path, self.path)
        except BaseException:
            release_lock(new_descriptor)
            new_path.unlink(missing_ok=True)
            raise
        release_lock(self._descriptor)
        self._descriptor = new_descriptor
        self._copy_permissions()

    def commit(self) -> None:
        """Give the file its own name, where it also survives a power failure.

        :raises OSError: when that fails; then call ``keep``.
        """
        self._restore()
        os.fsync(self._descriptor)
        if sys.platform == "win32":  # an open file cannot be renamed there
            release_lock(self._descriptor)
            os.replace(self.path, self._target)
            return
        os.replace(self.path, self._target)
        release_lock(self._descriptor)
        with contextlib.suppress(OSError):  # not every file system can do that
            folder = os.open(self._target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def keep(self) -> bool:
        """Leave the file under the name of a partial file; an empty one is removed.

        :return: False when it was removed and cannot be written again: its data are lost.
        """
        try:
            if not self.is_empty:
                self._restore()
            elif _is_same(self._descriptor, self.path):
                self.path.unlink()
        except OSError:
            return False
        finally:
            release_lock(self._descriptor)
        return True

    def _restore(self) -> None:
        """Write the data again, under another name if necessary, when somebody has removed or replaced the file."""
        if _is_same(self._descriptor, self.path):
            return
        if os.path.lexists(self.path):
            self.path = self._free_path()
        descriptor = os.open(self.path, _OPEN_FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
        take_lock(descriptor)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        while data := os.read(self._descriptor, 1 << 20):
            write_fully(descriptor, data)
        release_lock(self._descriptor)
        self._descriptor = descriptor
        self._copy_permissions()

    def _open_locked(self) -> int:
        for _ in range(_MAX_TRIES):
            opened = self._open()
            if opened is None:
                continue
            descriptor, is_new = opened
            with contextlib.ExitStack() as stack:
                stack.callback(release_lock, descriptor)
                state = self._lock(descriptor)
                if state is LockState.UNSUPPORTED and not is_new:
                    self.path = self._free_path()
                elif not _is_same(descriptor, self.path):  # the run that had the lock has just ended
                    continue
                elif os.fstat(descriptor).st_size:
                    self._move_aside()
                else:
                    stack.pop_all()
                    return descriptor
        raise OutputError(f"Cannot write {self._target}: other runs keep writing it. Use another path.")

    def _open(self) -> tuple[int, bool] | None:
        """Return the open partial file, and whether it is new; None: the run that had it has just ended."""
        try:
            return os.open(self.path, _OPEN_FLAGS | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):
                return os.open(self.path, _OPEN_FLAGS), False
        return None

    def _lock(self, descriptor: int) -> LockState:
        """Lock the partial file and return how that went.

        :raises OutputError: when it is locked already, or is no file.
        """
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OutputError(f"Cannot write {self._target}: {self.path} is not a file. Remove it.")
        state = take_lock(descriptor)
        if state is LockState.BUSY:
            raise OutputError(
                f"Cannot write {self._target}: another run, or another output of this run, is writing it. Wait for its "
                f"end, or use another path."
            )
        if state is LockState.UNSUPPORTED:
            warn_without_lock(self._target)
        return state

    def _move_aside(self) -> None:
        """Keep the file of an earlier run under a number."""
        path = self._free_path()
        os.rename(self.path, path)
        _LOG.warning("%s is of an earlier run that did not complete; it is now %s.", self.path, path)

    def _free_path(self) -> Path:
        paths = (self._target.with_name(f"{self._target.name}.{number}.partial") for number in itertools.count(1))
        return next(path for path in paths if not os.path.lexists(path))

    def _copy_permissions(self) -> None:
        """Let nobody read or write the file who cannot do so with the one that it replaces."""
        if self._target_stat is not None and hasattr(os, "fchown"):
            with contextlib.suppress(OSError):  # only root may give a file away
                os.fchown(self._descriptor, self._target_stat.st_uid, self._target_stat.st_gid)
            os.fchmod(self._descriptor, stat.S_IMODE(self._target_stat.st_mode))


def write_fully(descriptor: int, data: bytes) -> None:
    """Write all data, also where the system takes them in parts.

    :raises OSError: when that fails.
    """
    remaining = memoryview(data)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]


def _is_same(descriptor: int, path: Path) -> bool:
    """Return whether an open file still has this path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
