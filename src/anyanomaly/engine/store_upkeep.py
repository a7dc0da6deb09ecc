"""Keep the answer store within its limits, empty it, and describe it."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from anyanomaly.engine.store_file import COMPANIONS, ForeignFile, StoreLocked, open_store_file, translate_errors
from anyanomaly.errors import InputError, OutputError

STEP = 100  # answers removed in one transaction, so that other runs wait for milliseconds only


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """How large and how old a store may become. Answers that were not used for the longest time are removed first."""

    max_bytes: int | None = None  # None: no limit
    max_age_s: float | None = None  # since the last use; None: no limit


@dataclass(frozen=True, slots=True)
class BackendAnswers:
    """The stored answers of one backend."""

    backend: str  # fingerprint; empty: unknown, stored by an early version
    n_answers: int
    used_at: int  # seconds since 1970


@dataclass(frozen=True, slots=True)
class StoreSummary:
    """What a store holds."""

    n_bytes: int  # on disk
    n_answers: int = 0
    stored_at: tuple[int, int] | None = None  # the oldest and the newest answer, seconds since 1970; None: no answers
    used_at: int | None = None  # last use, to the day, seconds since 1970
    backends: tuple[BackendAnswers, ...] = ()  # most answers first
    problem: str = ""  # why the file cannot be read; empty: it can


def trim(connection: sqlite3.Connection, limits: StoreLimits, max_steps: int | None = None) -> int:
    """Remove the answers that are beyond the limits, and return their number.

    :param max_steps: transactions of ``STEP`` answers; None: as many as necessary.
    :raises sqlite3.Error: when the file cannot be written.
    """
    n_removed = 0
    for _ in count() if max_steps is None else range(max_steps):
        with connection:
            n_step = _remove_old(connection, limits.max_age_s) + _remove_excess(connection, limits.max_bytes)
        n_removed += n_step
        if not n_step:
            break
    return n_removed


def prune(path: Path, limits: StoreLimits) -> int:
    """Remove the answers of a store that are beyond the limits, shrink the file, and return their number.

    :raises InputError: when the file cannot be used.
    """
    if not path.exists():
        return 0
    connection = open_store_file(path)
    try:
        with translate_errors(path):
            n_removed = trim(connection, limits)
            _shrink(connection)
        return n_removed
    finally:
        connection.close()


def clear(path: Path) -> str:
    """Remove all answers, and return what was done, as a sentence. A running run may use the store meanwhile.

    A damaged store is deleted; a database of another program is renamed.

    :raises InputError: when another process has locked the store, or a folder has its name.
    :raises OutputError: when the file cannot be removed.
    """
    try:
        connection = open_store_file(path)
    except StoreLocked:
        raise
    except InputError as error:
        if any(file.is_dir() for file in store_files(path)):
            raise
        return _remove_files(path, rename=isinstance(error, ForeignFile))
    try:
        with translate_errors(path):
            with connection:
                n_removed = connection.execute("DELETE FROM stored_answers").rowcount
            _shrink(connection)
        return f"Removed {n_removed} answers."
    except StoreLocked:
        raise
    except InputError:
        connection.close()
        return _remove_files(path, rename=False)
    finally:
        connection.close()


def summarise(path: Path) -> StoreSummary:
    """Describe a store. A damaged one has a problem in its summary."""
    n_bytes = sum(file.lstat().st_size for file in store_files(path) if file.is_file())
    if not path.exists():
        return StoreSummary(n_bytes)
    try:
        connection = open_store_file(path)
    except InputError as error:
        return StoreSummary(n_bytes, problem=str(error))
    try:
        with translate_errors(path):
            rows = connection.execute(
                "SELECT backend, count(*), min(stored_at), max(stored_at), max(used_at) FROM stored_answers "
                "WHERE typeof(stored_at) = 'integer' AND typeof(used_at) = 'integer' "
                "GROUP BY backend ORDER BY count(*) DESC, backend"
            ).fetchall()
    except InputError as error:
        return StoreSummary(n_bytes, problem=str(error))
    finally:
        connection.close()
    if not rows:
        return StoreSummary(n_bytes)
    names, numbers, oldest, newest, used = zip(*rows, strict=True)
    backends = (
        BackendAnswers(bytes(name).decode(errors="replace"), n_answers, used_at)
        for name, n_answers, used_at in zip(names, numbers, used, strict=True)
    )
    return StoreSummary(n_bytes, sum(numbers), (min(oldest), max(newest)), max(used), tuple(backends))


def _remove_old(connection: sqlite3.Connection, max_age_s: float | None) -> int:
    if max_age_s is None:
        return 0
    return connection.execute(
        "DELETE FROM stored_answers WHERE id IN "
        "(SELECT id FROM (SELECT id, used_at FROM stored_answers ORDER BY id LIMIT ?) WHERE used_at < ?)",
        (STEP, time.time() - max_age_s),
    ).rowcount


def _remove_excess(connection: sqlite3.Connection, max_bytes: int | None) -> int:
    if max_bytes is None:
        return 0
    n_pages, n_free, page_bytes = (_pragma(connection, name) for name in ("page_count", "freelist_count", "page_size"))
    if (n_pages - n_free) * page_bytes <= max_bytes:
        return 0
    return connection.execute(
        "DELETE FROM stored_answers WHERE id IN (SELECT id FROM stored_answers ORDER BY id LIMIT ?)", (STEP,)
    ).rowcount


def _shrink(connection: sqlite3.Connection) -> None:
    """Return free pages to the file system, in steps: other runs write between them."""
    if not _pragma(connection, "auto_vacuum"):  # a file of the first schema
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("VACUUM")
    n_free = None
    while n_free != (n_free := _pragma(connection, "freelist_count")):
        connection.execute("PRAGMA incremental_vacuum(1000)").fetchall()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def store_files(path: Path) -> list[Path]:
    """Return the files of a store, which need not exist."""
    return [path.with_name(path.name + suffix) for suffix in COMPANIONS]


def _remove_files(path: Path, rename: bool) -> str:
    """Delete the files of a store; ``rename``: rename them instead."""
    new_path = path.with_name(f"{path.name}.old")
    try:
        for file, new_file in zip(store_files(path), store_files(new_path), strict=True):
            if rename and file.exists():
                file.replace(new_file)
            else:
                file.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot remove {error.filename}: {error.strerror}. Remove it yourself.") from error
    return f"Renamed {path} to {new_path.name}." if rename else f"Removed {path}, which could not be read."
