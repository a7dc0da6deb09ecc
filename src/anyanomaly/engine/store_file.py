"""The file of the answer store: opened after checks, created, or converted from the first schema.

The file may be damaged, of a newer version, or not ours. Nothing is changed in it before its schema is known.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from anyanomaly.engine.store_rows import MAX_ROW_BYTES, ROW_FORMAT, checksum
from anyanomaly.errors import InputError

APPLICATION_ID = int.from_bytes(b"AnyA", "big")  # in the file's header: whose file it is
SCHEMA_VERSION = 2  # of the table `stored_answers`; the first schema had the table `answers` and no version
BUSY_TIMEOUT_S = 5.0  # other runs hold the write lock for milliseconds
COMPANIONS = ("", "-wal", "-shm", "-journal")  # suffixes of the files that SQLite opens

_CREATE = """
CREATE TABLE stored_answers (
    id INTEGER PRIMARY KEY,  -- ascends with the last use
    key TEXT NOT NULL UNIQUE,
    format INTEGER NOT NULL,
    answer TEXT NOT NULL,
    checksum BLOB NOT NULL,
    backend TEXT NOT NULL,  -- fingerprint; empty: stored with the first schema
    stored_at INTEGER NOT NULL,  -- seconds since 1970
    used_at INTEGER NOT NULL
)
"""
_COLUMNS = ("id", "key", "format", "answer", "checksum", "backend", "stored_at", "used_at")
_FIRST_SCHEMA = {"answers": ("key", "answer")}
_SCHEMA = {"stored_answers": _COLUMNS}


class ForeignFile(InputError):
    """The file is a database, but not of this program."""


class StoreLocked(InputError):
    """Another process does not release the lock of the file."""


def open_store_file(path: Path) -> sqlite3.Connection:
    """Open the file, after creating or converting it where necessary. Several processes may use it at once.

    Text is read as bytes, because damaged text may not be UTF-8.

    :raises InputError: when it cannot be used; the message says why and what to do.
    """
    with translate_errors(path):
        for suffix in COMPANIONS:
            companion = path.with_name(path.name + suffix)
            if os.path.lexists(companion) and not companion.is_file():  # opening a FIFO would block
                kind, advice = ("a folder", "Remove it.") if companion.is_dir() else ("no regular file", _CLEAR)
                raise InputError(f"{_name(path)} cannot be used: {companion} is {kind}. {advice}")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # answers describe private videos
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        # one thread opens and closes a store, another may use it in between
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


@contextlib.contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Translate errors of SQLite and of the file system.

    :raises InputError: in their place; the message says what is wrong and what to do.
    """
    try:
        yield
    except (sqlite3.Error, OSError, MemoryError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreLocked(
                f"{_name(path)} is locked by another process. Run again when that process has ended."
            ) from error
        is_garbled = isinstance(error, UnicodeDecodeError)  # the schema, or a message that quotes it, is not UTF-8
        if is_garbled or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise InputError(f"{_name(path)} is damaged ({reason}). {_CLEAR}") from error
        raise InputError(
            f"{_name(path)} cannot be used ({reason}). Set ANYANOMALY_CACHE_DIR to a writable folder with free space, "
            "or make space: anyanomaly cache prune, anyanomaly cache clear."
        ) from error


_CLEAR = "Start with an empty store: anyanomaly cache clear."


def _name(path: Path) -> str:
    return f"The answer store {path}"


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_ROW_BYTES)
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    schema = _read_schema(connection, path)
    if not schema:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # can be set in an empty file only
    connection.execute("PRAGMA journal_mode=WAL")  # readers and a writer at once; safe under kill -9
    if schema != _SCHEMA:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            _create_or_convert(connection, _read_schema(connection, path), path)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.text_factory = bytes


def _read_schema(connection: sqlite3.Connection, path: Path) -> dict[str, tuple[str, ...]]:
    """Return the tables with their columns: one or both of the schemas, or none in a new file.

    :raises InputError: for the schema of a newer version or of another program. Triggers and views are never ours.
    """
    application, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    if application in (0, APPLICATION_ID) and version > SCHEMA_VERSION:
        raise InputError(
            f"{_name(path)} is of a newer version of anyanomaly and is left as it is. Update anyanomaly, or set "
            "ANYANOMALY_CACHE_DIR to another folder."
        )
    rows = connection.execute("SELECT type, name FROM sqlite_master").fetchall()
    objects = [row for row in rows if row[0] not in ("table", "index") or not row[1].startswith("sqlite_")]
    tables = {
        name: tuple(column[1] for column in connection.execute("SELECT * FROM pragma_table_info(?)", (name,)))
        for _, name in objects
    }
    is_known = all({**_FIRST_SCHEMA, **_SCHEMA}.get(name) == columns for name, columns in tables.items())
    if application not in (0, APPLICATION_ID) or not is_known or any(kind != "table" for kind, _ in objects):
        raise ForeignFile(
            f"{_name(path)} is a database with other tables, triggers or views. Move it away with: anyanomaly cache "
            "clear. Or set ANYANOMALY_CACHE_DIR to another folder."
        )
    return tables


def _create_or_convert(connection: sqlite3.Connection, schema: dict[str, tuple[str, ...]], path: Path) -> None:
    if "stored_answers" not in schema:
        connection.execute(_CREATE)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    if "answers" in schema:  # also when an older version has used the file since
        connection.create_function("checksum", 2, checksum, deterministic=True)
        now = int(time.time())
        connection.execute(
            "INSERT OR IGNORE INTO stored_answers SELECT NULL, key, ?, answer, "
            "checksum(CAST(key AS BLOB), CAST(answer AS BLOB)), '', ?, ? "
            "FROM answers WHERE typeof(key) = 'text' AND typeof(answer) = 'text'",
            (ROW_FORMAT, now, now),
        )
        connection.execute("DROP TABLE answers")
        for suffix in COMPANIONS:  # the first schema's files were readable for everybody
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).chmod(0o600)
