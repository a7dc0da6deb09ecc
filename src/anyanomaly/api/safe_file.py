"""Write result files without losing data: older results, or those that were written before a failure."""

from __future__ import annotations

import errno
import logging
import os
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from anyanomaly.api.partial_file import PartialFile, write_fully
from anyanomaly.errors import OutputError, UsageError
from anyanomaly.outside_text import storable_text, terminal_text

STDOUT = "-"
_MAX_LINKS = 40  # that Linux follows


class SafeFile:
    """Text or data kept in ``NAME.partial`` until they are complete, which then replace ``NAME`` at once.

    Only one run at a time can write a file. ``-`` is standard output; that, pipes and devices get the text directly.
    A symbolic link stays a link, and a file keeps its permissions. Every failure is an ``OutputError``; the text
    written before it stays in ``NAME.partial``, and an older ``NAME`` is not changed.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._name = path
        self._output: _Output | None = None

    def __enter__(self) -> Self:
        self.check()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(complete=error is None)

    def check(self) -> None:
        """Check that the file can be written, and keep other runs from writing it until ``close``.

        :raises OutputError: when it cannot be written, or another run is writing it.
        """
        if self._output is not None:
            return
        try:
            self._output = _open(self._name)
        except FileExistsError as error:
            raise OutputError(
                f"Cannot write {self.path}: {error.filename} is not a folder. Use another path."
            ) from error
        except (OSError, ValueError) as error:  # ValueError: the path has a zero byte
            reason = error.strerror if isinstance(error, OSError) else error
            raise OutputError(f"Cannot write {self.path}: {reason}. Use another path.") from error

    def write(self, text: str | bytes) -> None:
        """Append text or data, so that they survive the end of the process.

        :raises OutputError: when that fails.
        """
        self.check()
        assert self._output is not None  # check opens it
        self._output.write(text)

    def replace(self, text: str) -> None:
        """Replace all text written so far, at once. A pipe or device gets only the last text, on ``close``.

        :raises OutputError: when that fails.
        """
        self.check()
        assert self._output is not None  # check opens it
        self._output.replace(text)

    def rebuild(self, build: Callable[[Path, Path], None]) -> None:
        """Replace all data written so far, at once, by a file that is made of them. A pipe or device keeps what it got.

        :param build: gets the path of the data and that of an empty file, which it fills; raises ``OSError``.
        :raises OutputError: when that fails; the data are kept.
        """
        self.check()
        assert self._output is not None  # check opens it
        self._output.rebuild(build)

    def close(self, *, complete: bool = True) -> None:
        """Replace the older file by the text, if it is complete, some was written and no write failed.

        Otherwise the text stays in ``NAME.partial``, and a message names that file.

        :raises OutputError: when the file cannot be replaced, and no write failed before.
        """
        output, self._output = self._output, None
        if output is not None:
            output.close(complete)


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file whose name the user did not choose completely, or keep its old content.

    :raises OutputError: when it cannot be written, or its name is a link, a pipe or a device.
    """
    check_plain(path)
    with SafeFile(str(path)) as file:
        file.write(content)


def check_plain(path: Path) -> None:
    """Check a file whose name the user did not choose: in a stranger's folder a link there may lead to any file.

    :raises OutputError: when it is a link, a pipe or anything else than a regular file; a new name is allowed.
    """
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        raise OutputError(f"Cannot write {path}: it is a link, or no regular file. Remove it, or use another folder.")


def is_standard_output(path: str) -> bool:
    """Return whether a path stands for standard output: ``-``, ``/dev/stdout``, or a link to that."""
    return STDOUT in (path, _follow_links(path)[0])


def check_distinct(paths: Sequence[str], inputs: Iterable[str] = ()) -> None:
    """Check that each path is another file, also behind symbolic links, and none is a file that is read.

    The null device may be named twice. ``inputs``: paths of files that are read; those that do not exist do not count.

    :raises UsageError: when two paths are the same file, or one is an input.
    """
    targets = [STDOUT if path == STDOUT else _follow_links(path)[0] for path in paths]
    input_files = {os.path.realpath(name) for name in inputs if os.path.isfile(name)}
    for path, target in zip(paths, targets, strict=True):
        if targets.count(target) > 1 and target != os.devnull:
            place = "standard output" if target == STDOUT else f"the file {target}"
            raise UsageError(f"Two results would go to {place}. Name another file for one of them.")
        if target in input_files:
            raise UsageError(f"The results would replace {path}, which this command reads. Name another file for them.")
        if f"{target}.partial" in input_files:
            raise UsageError(
                f"Results that go to {path} would move {path}.partial, which this command reads. Name another file."
            )


class _Output(Protocol):
    """What a `SafeFile` writes to."""

    def write(self, text: str | bytes) -> None: ...

    def replace(self, text: str) -> None: ...

    def rebuild(self, build: Callable[[Path, Path], None]) -> None: ...

    def close(self, complete: bool) -> None: ...


class _Stream:
    """Standard output, an open file of the shell, a pipe or a device."""

    def __init__(self, name: str, descriptor: int | None) -> None:
        """:param descriptor: None: standard output."""
        self._name = name
        self._descriptor = descriptor
        self._last_text = ""

    def write(self, text: str | bytes) -> None:
        if self._descriptor is None and isinstance(text, str):
            sys.stdout.write(terminal_text(text) if sys.stdout.isatty() else storable_text(text))
            sys.stdout.flush()
            return
        try:
            write_fully(1 if self._descriptor is None else self._descriptor, _encode(text))
        except OSError as error:
            raise OutputError(f"Cannot continue writing {self._name}: {error.strerror}.") from error

    def replace(self, text: str) -> None:
        self._last_text = text

    def rebuild(self, build: Callable[[Path, Path], None]) -> None:
        """Do nothing: what was written cannot be read again."""

    def close(self, complete: bool) -> None:
        try:
            if self._last_text:
                self.write(self._last_text)
        finally:
            if self._descriptor is not None:
                os.close(self._descriptor)


class _File:
    """A file on disk."""

    def __init__(self, path: str, target: Path) -> None:
        """:param path: as the user wrote it. :param target: the file it stands for."""
        self._path = path
        self._partial = PartialFile(target)
        self._failed = False

    def write(self, text: str | bytes) -> None:
        try:
            self._partial.write(_encode(text))
        except OSError as error:
            raise self._failure(error) from error

    def replace(self, text: str) -> None:
        try:
            self._partial.replace(_encode(text))
        except OSError as error:
            raise self._failure(error) from error

    def rebuild(self, build: Callable[[Path, Path], None]) -> None:
        try:
            self._partial.rebuild(build)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> OutputError:
        self._failed = True
        place = "" if self._partial.is_empty else f" The results so far are kept in {self._partial.path}."
        return OutputError(
            f"Cannot continue writing {self._path}: {error.strerror}.{place} Free some space and run again; stored "
            f"answers are reused."
        )

    def close(self, complete: bool) -> None:
        partial = self._partial
        if not complete or self._failed or partial.is_empty:
            is_told = self._failed or partial.is_empty
            is_kept = partial.keep()
            if not is_told:
                place = f"The results so far are kept in {partial.path}." if is_kept else self._loss()
                logging.getLogger(__name__).error("%s", place)
            return
        try:
            partial.commit()
        except OSError as error:
            place = f"The results are in {partial.path}." if partial.keep() else self._loss()
            raise OutputError(f"Cannot write {self._path}: {error.strerror}. {place}") from error

    def _loss(self) -> str:
        return f"{self._partial.path} was removed, and cannot be written again. Run again; stored answers are reused."


def _encode(text: str | bytes) -> bytes:
    return storable_text(text).encode() if isinstance(text, str) else text


def _open(path: str) -> _Output:
    """:raises OSError: when it cannot be opened. :raises OutputError: when it is a folder, or in use."""
    target, descriptor = _follow_links(path)
    if STDOUT in (path, target):
        return _Stream(path, None)
    if descriptor is not None:  # opened by its path, a file would be truncated
        descriptor = os.dup(descriptor)
        os.write(descriptor, b"")  # fails if it is open for reading only
        return _Stream(path, descriptor)
    try:
        mode = os.stat(target).st_mode
    except (FileNotFoundError, NotADirectoryError):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        return _File(path, Path(target))
    if stat.S_ISREG(mode):
        return _File(path, Path(target))
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        return _Stream(path, _open_stream(target))
    kind = "a folder" if stat.S_ISDIR(mode) else "neither a file nor a pipe"
    raise OutputError(f"Cannot write {path}: it is {kind}. Name a file.")


def _open_stream(path: str) -> int:
    """:raises OSError: when it cannot be opened; also for a pipe that no process reads."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if stat.S_ISFIFO(os.stat(path).st_mode) and error.errno == errno.ENXIO:
            raise OutputError(f"Cannot write {path}: no process reads this pipe. Start its reader first.") from error
        raise
    os.set_blocking(descriptor, True)
    return descriptor


def _follow_links(path: str) -> tuple[str, int | None]:
    """Return the file that a path stands for, and its number if it is an open file of this process; ``-``: number 1.

    The links ``/dev/stdout``, ``/dev/fd/63`` and the like are not followed to the file that is open there.
    """
    own_files = f"/proc/{os.getpid()}/fd"
    for _ in range(_MAX_LINKS):
        folder, name = os.path.split(path)
        folder = os.path.realpath(folder)
        path = os.path.join(folder, name)
        if folder == own_files and name.isdecimal():
            return STDOUT if name == "1" else path, int(name)
        if not os.path.islink(path):
            break
        path = os.path.join(folder, os.readlink(path))
    return os.path.realpath(path), None
