"""Faults of the answer store: each costs one warning, never the run, and changes no answer."""

from __future__ import annotations

import os
import resource
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anyanomaly.engine import store_file
from anyanomaly.engine.store_upkeep import clear, summarise
from anyanomaly.testing.fakes import FakeBackend
from tests.engine.store_parts import QUERIES, Logs, answer_all, change, run_twice, use_first_schema

JSON = '{"text": %s, "value": %s, "logprobs": %s, "prompt_tokens": null, "output_tokens": null}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the file of a store with the answers to `QUERIES`."""
    path = tmp_path / "answers.sqlite"
    answer_all(path, QUERIES, FakeBackend())
    return path


@pytest.mark.parametrize(
    "answer",
    [
        "{",
        "",
        "[1]",
        "null",
        "[" * 100_000,
        '{"text": "0.5"}',
        JSON.replace("{", '{"colour": 1, ') % ('"0.5"', "null", "null"),
        JSON % ('"0.5"', '"x"', "null"),
        JSON % ('"0.5"', "NaN", "null"),
        JSON % ('"0.5"', "1e999", "null"),
        JSON % ('"0.5"', "true", "null"),
        JSON % ('"0.5"', "null", "[1]"),
        JSON % ('"0.5"', "null", '{"0.1": "a"}'),
        JSON % ("7", "null", "null"),
        JSON % ('"\\ud800"', "null", "null"),
        b"\xff\x00",
        7,
    ],
    ids=lambda answer: str(answer)[:30],
)
@pytest.mark.parametrize("schema", ["first", "present"])
def test_a_row_that_is_no_answer_is_asked_again_and_replaced(
    path: Path, caplog: Logs, answer: object, schema: str
) -> None:
    if schema == "first":
        use_first_schema(path)
        change(path, "UPDATE answers SET answer = ? WHERE key IN (SELECT key FROM answers LIMIT 3)", answer)
    else:
        change(path, "UPDATE stored_answers SET answer = ? WHERE id <= 3", answer)
    n_asked, warnings = run_twice(path, caplog)
    assert n_asked == [3, 0]
    assert warnings[1] == ""
    if schema == "present":
        assert f"{path} has damaged answers (3 found)" in warnings[0]
        assert "anyanomaly cache clear" in warnings[0]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stored_answers SET answer = (SELECT answer FROM stored_answers WHERE id = 12) WHERE id <= 3",
        "UPDATE stored_answers SET answer = replace(answer, '0.0', '0.9') WHERE id <= 3",
        "UPDATE stored_answers SET answer = CAST(x'7bff7d' AS TEXT) WHERE id <= 3",
        "UPDATE stored_answers SET answer = printf('%.*c', 1048500, 'x') WHERE id <= 3",
        "UPDATE stored_answers SET answer = CAST(zeroblob(5000000) AS TEXT) WHERE id <= 3",
        "UPDATE stored_answers SET format = 2 WHERE id <= 3",
        "UPDATE stored_answers SET format = 'x' WHERE id <= 3",
        "UPDATE stored_answers SET checksum = 'x' WHERE id <= 3",
    ],
)
def test_a_row_that_was_altered_is_asked_again_and_replaced(path: Path, caplog: Logs, statement: str) -> None:
    queries_differ = "SELECT answer" in statement
    if queries_differ:  # the answers of this backend are equal, so give the last row another one
        change(path, "UPDATE stored_answers SET answer = replace(answer, '0.0', '0.7') WHERE id = 12")
    change(path, statement)
    n_asked, warnings = run_twice(path, caplog)
    assert n_asked == [3 + queries_differ, 0]
    assert "has damaged answers" in warnings[0]
    assert warnings[1] == ""


def test_damaged_times_and_names_change_nothing(path: Path, caplog: Logs) -> None:
    change(path, "UPDATE stored_answers SET used_at = 'x', stored_at = 9e300, backend = x'ff' WHERE id <= 3")
    assert run_twice(path, caplog) == ([0, 0], ["", ""])
    summarise(path)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_broken_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere") / "file")


def make_database(path: Path) -> None:
    path.unlink()
    change(path, "CREATE TABLE answers (a, b, c)")


def add_trigger_to_first_schema(path: Path) -> None:
    use_first_schema(path)
    change(path, "CREATE TRIGGER t AFTER INSERT ON answers BEGIN DELETE FROM answers; END")


UNUSABLE: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("hello\n" * 1000),
    "zeros": lambda path: path.write_bytes(bytes(20_000)),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "only a header": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "FIFO": make_fifo,
    "broken link": make_broken_link,
    "FIFO as journal": lambda path: os.mkfifo(f"{path}-journal"),
    "other columns": make_database,
    "view": lambda path: change(path, "CREATE VIEW v AS SELECT * FROM stored_answers"),
    "trigger": lambda path: change(
        path, "CREATE TRIGGER t AFTER INSERT ON stored_answers BEGIN DELETE FROM stored_answers; END"
    ),
    "trigger in the first schema": add_trigger_to_first_schema,
    "index": lambda path: change(path, "CREATE INDEX i ON stored_answers (answer)"),
    "further table": lambda path: change(path, "CREATE TABLE t (a)"),
    "further column": lambda path: change(path, "ALTER TABLE stored_answers ADD COLUMN more"),
    "other application": lambda path: change(path, "PRAGMA application_id = 7"),
}


@pytest.mark.parametrize("damage", UNUSABLE)
def test_a_file_that_is_no_store_is_not_used_until_it_is_cleared(path: Path, caplog: Logs, damage: str) -> None:
    UNUSABLE[damage](path)
    n_asked, warnings = run_twice(path, caplog)
    assert n_asked == [12, 12]
    assert all(str(path) in warning and "anyanomaly cache clear" in warning for warning in warnings)
    assert summarise(path).problem or not path.exists()
    clear(path)
    assert run_twice(path, caplog) == ([12, 0], ["", ""])


def test_a_database_of_another_program_is_renamed_and_not_deleted(path: Path) -> None:
    make_database(path)
    change(path, "INSERT INTO answers VALUES (1, 2, 3)")
    assert "answers.sqlite.old" in clear(path)
    kept = sqlite3.connect(path.with_name("answers.sqlite.old"))
    assert kept.execute("SELECT * FROM answers").fetchall() == [(1, 2, 3)]


def test_a_folder_in_place_of_the_file_is_named(path: Path, caplog: Logs) -> None:
    make_folder(path)
    _, warnings = run_twice(path, caplog)
    assert f"{path} is a folder. Remove it." in warnings[0]


def test_a_newer_schema_is_left_untouched(path: Path, caplog: Logs) -> None:
    change(path, "PRAGMA user_version = 3")
    change(path, "ALTER TABLE stored_answers ADD COLUMN more")
    content = path.read_bytes()
    n_asked, warnings = run_twice(path, caplog)
    assert n_asked == [12, 12]
    assert "newer version of anyanomaly" in warnings[0]
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["-wal", "-shm", "-journal"])
def test_files_that_a_crash_left_behind_change_nothing(path: Path, caplog: Logs, name: str) -> None:
    Path(f"{path}{name}").write_bytes(os.urandom(100_000))
    run_twice(path, caplog)
    path.unlink()
    Path(f"{path}{name}").write_bytes(os.urandom(100_000))
    assert run_twice(path, caplog)[0][1] == 0


def test_a_store_that_another_process_has_locked_is_read(
    path: Path, caplog: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_file, "BUSY_TIMEOUT_S", 0.05)
    change(path, "DELETE FROM stored_answers WHERE id <= 4")
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    n_asked, warnings = run_twice(path, caplog)
    other.close()
    assert n_asked == [4, 4]
    assert f"{path} is locked by another process" in warnings[0]
    assert run_twice(path, caplog) == ([4, 0], ["", ""])


def test_a_full_disk_ends_storing_and_not_reading(path: Path, caplog: Logs) -> None:
    change(path, "DELETE FROM stored_answers WHERE id <= 4")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    Path(f"{path}-shm").touch(0o600)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))  # the shared memory of SQLite has 32 KiB
    backend = FakeBackend(lambda query: "0.5" * 30_000)
    try:
        answers = answer_all(path, QUERIES, backend)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(answers) == 12
    assert sum(backend.calls) == 4
    (warning,) = caplog.messages
    assert "The answers of this run are not stored" in warning


@pytest.fixture
def without_privileges() -> Iterator[Path]:
    """Yield a folder, as a user whom its permissions bind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            folder.chmod(0o700) if not is_root else os.seteuid(0)


def test_a_read_only_folder_costs_a_warning(without_privileges: Path, caplog: Logs) -> None:
    path = without_privileges / "cache" / "answers.sqlite"
    answer_all(path, QUERIES, FakeBackend())
    path.parent.chmod(0o500)
    _, warnings = run_twice(path, caplog)
    path.parent.chmod(0o700)
    assert "ANYANOMALY_CACHE_DIR" in warnings[0]
    path.parent.chmod(0o000)
    _, warnings = run_twice(path, caplog)
    path.parent.chmod(0o700)
    assert "Permission denied" in warnings[0]


def test_a_read_only_file_is_read(without_privileges: Path, caplog: Logs) -> None:
    path = without_privileges / "cache" / "answers.sqlite"
    answer_all(path, QUERIES, FakeBackend())
    change(path, "DELETE FROM stored_answers WHERE id <= 4")
    path.chmod(0o400)
    n_asked, warnings = run_twice(path, caplog)
    assert n_asked == [4, 4]
    assert "The answers of this run are not stored" in warnings[0]
