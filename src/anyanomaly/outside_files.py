"""Files from outside: a FIFO, a device or a file without end is refused before it can block or fill the memory."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO

MAX_TEXT_BYTES = 2**26
"""Largest text file that is read as a whole: settings, labels, manifests, recipes, prompts."""


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file for reading, without ever waiting for a writer.

    :raises OSError: when it is missing, not readable, a folder, or no regular file; ``strerror`` says why.
    """
    try:
        _check_kind(os.stat(path).st_mode, path)  # opening a device may already have an effect
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:  # a null byte in the name
        raise OSError(errno.EINVAL, f"Invalid name: {error}", str(path)) from error
    try:
        _check_kind(os.fstat(descriptor).st_mode, path)
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def read_bounded(path: str | Path, limit: int = MAX_TEXT_BYTES) -> bytes:
    """Return the content of a regular file.

    :raises OSError: as `open_regular`, and when the file has more than ``limit`` bytes.
    """
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"Larger than {limit // 1024:,} KiB", str(path))
    return content


def _check_kind(mode: int, path: str | Path) -> None:
    if S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "Is a folder", str(path))
    if not S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a regular file, but a FIFO, socket or device", str(path))
