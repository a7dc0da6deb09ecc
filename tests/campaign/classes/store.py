"""Answer stores that are damaged, foreign, newer, locked or no file: the run goes on and its results stay right."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.campaign.hostile import hostile_text, mutate
from tests.campaign.plugin import SEGMENT, level
from tests.campaign.results import read_lines
from tests.campaign.stage import Stage

_JSON_VALUES = (
    "",
    "null",
    "[]",
    "{}",
    "1e999",
    '"x"',
    '{"text": 5}',
    '{"text": null, "value": "a"}',
    "[" * 100_000,
    '{"text": "0.5", "value": null, "logprobs": [1], "prompt_tokens": "x", "output_tokens": -1}',
    '{"text": "\\ud800"}',
    '{"id": 1}',
    "\x00",
    "{" * 500,
    '{"text": "0.5", "unknown": 1}',
)


def play(stage: Stage) -> str:
    """Fill a store by a run, damage it, and run again: exit code 0 and the same scores."""
    rng = stage.random
    seed = rng.randrange(256)
    n_frames = SEGMENT * rng.randint(2, 5)
    stage.write("a.clip", f"{n_frames} {seed}")
    is_filled = rng.random() < 0.75
    if is_filled:
        _run(stage, n_frames, seed, "first.jsonl")
        if rng.random() < 0.2:
            return _manage(stage, n_frames, seed)
    stage.cache.mkdir(exist_ok=True)
    name = rng.choice(_FILE_FAULTS if not is_filled or rng.random() < 0.5 else _DATABASE_FAULTS)
    files = [path for path in stage.cache.rglob("*") if path.is_file()]
    target = next((path for path in files if _is_database(path)), stage.cache / "answers.sqlite")
    _damage(rng, name, target)
    _run(stage, n_frames, seed, "second.jsonl")
    warnings = [line for line in stage.outcomes[-1].err.split(b"\n") if b"store" in line.lower()]
    stage.check(len(warnings) <= 1, f"{len(warnings)} warnings of the store: {warnings[:2]!r}")
    for command in rng.sample(("show", "prune", "clear"), rng.choice((0, 1, 2))):
        stage.run("cache", command, *(["--yes"] if command == "clear" else []), codes={0, 4})
    if rng.random() < 0.5:
        _run(stage, n_frames, seed, "third.jsonl")
    return f"{name}{' of a filled store' if is_filled else ''}"


def _run(stage: Stage, n_frames: int, seed: int, output: str) -> None:
    arguments = ("a.clip", "-t", "red", "-o", output, "--backend.log", "log.txt")
    stage.engine_run(*arguments, writes=[output, "log.txt"])
    lines = [line for line in read_lines(stage, output) if line["type"] == "segment"]
    wanted = [level(segment, seed) for segment in range(n_frames // SEGMENT)]
    stage.check([line["value"] for line in lines] == wanted, f"{output}: not the scores {wanted}")


def _manage(stage: Stage, n_frames: int, seed: int) -> str:
    """The commands on a sound store: what is cleared is asked again, what is kept is not."""
    command = stage.random.choice(("show", "prune", "clear"))
    options = {
        "prune": stage.random.choice((["--max-size", "1KiB"], ["--older-than", "1d"], [])),
        "clear": ["--yes"],
        "show": stage.random.choice(([], ["--json"])),
    }[command]
    stage.run("cache", command, *options)
    log = stage.work / "log.txt"
    n_before = len(log.read_text().splitlines())
    _run(stage, n_frames, seed, "second.jsonl")
    n_asked = len(log.read_text().splitlines()) - n_before
    if command == "show" or options[:1] != ["--max-size"]:
        stage.check(n_asked == (n_before if command == "clear" else 0), f"{n_asked} questions after `cache {command}`")
    return f"cache {command} {' '.join(options)}".strip()


_FILE_FAULTS = (
    "empty",
    "noise",
    "text",
    "head only",
    "directory",
    "loop",
    "dangling link",
    "fifo",
    "device",
    "other database",
    "folder is a file",
    "huge sparse",
    "journal noise",
    "lock",
)
_DATABASE_FAULTS = (
    "mutated",
    "mutated",
    "mutated",
    "row value",
    "row value",
    "row value",
    "key",
    "newer version",
    "column added",
    "column renamed",
    "table dropped",
    "view",
    "trigger",
    "blob",
    "journal noise",
    "text encoding",
    "row of noise",
)


def _is_database(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(6) == b"SQLite"


def _damage(rng: random.Random, fault: str, target: Path) -> None:
    if fault in _DATABASE_FAULTS and fault not in ("mutated", "journal noise", "text encoding"):
        with closing(sqlite3.connect(target)) as connection, connection:
            for statement, values in _statements(rng, fault, connection):
                connection.execute(statement, values)
            return
    if fault == "mutated":
        target.write_bytes(mutate(rng, target.read_bytes())[1])
        return
    if fault == "text encoding":
        content = bytearray(target.read_bytes())
        content[56:60] = rng.choice((2, 3, 9)).to_bytes(4, "big")
        target.write_bytes(content)
        return
    if fault == "journal noise":
        for suffix in rng.choice((("-wal",), ("-shm",), ("-wal", "-shm"), ("-journal",))):
            Path(f"{target}{suffix}").write_bytes(rng.randbytes(rng.choice((0, 7, 5000))))
        return
    content = target.read_bytes() if target.is_file() else b"SQLite format 3\0" + bytes(84)
    target.unlink(missing_ok=True)
    match fault:
        case "empty":
            target.touch()
        case "noise":
            target.write_bytes(rng.randbytes(rng.choice((1, 100, 5000))))
        case "text":
            target.write_text(hostile_text(rng).encode("utf-8", "replace").decode())
        case "head only":
            target.write_bytes(content[: rng.choice((16, 50, 100))])
        case "directory":
            target.mkdir()
        case "loop":
            target.symlink_to(target.name)
        case "dangling link":
            target.symlink_to("/nowhere/answers.sqlite")
        case "fifo":
            os.mkfifo(target)
        case "device":
            target.symlink_to(rng.choice(("/dev/zero", "/dev/full", "/dev/null")))
        case "other database":
            with closing(sqlite3.connect(target)) as connection, connection:
                connection.execute("CREATE TABLE people (name TEXT)")
        case "folder is a file":
            for path in target.parent.iterdir():
                path.unlink()
            target.parent.rmdir()
            target.parent.write_text("a file")
        case "huge sparse":
            target.write_bytes(content)
            os.truncate(target, 1 << 31)
        case "lock":
            with closing(sqlite3.connect(target)) as connection:
                connection.execute("PRAGMA user_version = 0")
            target.chmod(0o400)


def _statements(
    rng: random.Random, fault: str, connection: sqlite3.Connection
) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield statements that damage a database, whatever its tables and columns are named."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    tables = [name for name in tables if not name.startswith("sqlite_")]
    if not tables:
        return
    table = max(tables, key=lambda name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])
    columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
    column = rng.choice(columns)
    words = "answer" if "answer" in columns else columns[-1]
    key = "key" if "key" in columns else columns[0]
    where = rng.choice(("", f' WHERE "{columns[0]}" = (SELECT max("{columns[0]}") FROM "{table}")'))
    match fault:
        case "row value":
            yield f'UPDATE OR IGNORE "{table}" SET "{words}" = ?{where}', (rng.choice(_JSON_VALUES),)
        case "row of noise":
            yield f'UPDATE OR IGNORE "{table}" SET "{words}" = ?{where}', (rng.randbytes(50),)
        case "blob":
            yield f'UPDATE OR IGNORE "{table}" SET "{words}" = zeroblob(?){where}', (rng.choice((0, 10, 30_000_000)),)
        case "key":
            yield (
                f'UPDATE OR IGNORE "{table}" SET "{key}" = ?{where}',
                (rng.choice((b"\xff\xfe", 5, "x", "\0")),),
            )
        case "newer version":
            yield f"PRAGMA user_version = {rng.choice((99, 2**31 - 1, -5))}", ()
        case "column added":
            yield f"ALTER TABLE \"{table}\" ADD COLUMN extra TEXT NOT NULL DEFAULT 'x'", ()
        case "column renamed":
            yield f'ALTER TABLE "{table}" RENAME COLUMN "{column}" TO other', ()
        case "table dropped":
            yield f'DROP TABLE "{table}"', ()
        case "view":
            yield f'ALTER TABLE "{table}" RENAME TO old', ()
            yield f'CREATE VIEW "{table}" AS SELECT * FROM old', ()
        case "trigger":
            event = rng.choice(("INSERT", "UPDATE", "DELETE"))
            yield f"CREATE TRIGGER t BEFORE {event} ON \"{table}\" BEGIN SELECT RAISE(ABORT, 'no'); END", ()
