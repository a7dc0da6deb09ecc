"""``anyanomaly cache``: show, prune and clear."""

from __future__ import annotations

import io
import json
import sqlite3
import time
from pathlib import Path

import pytest

from anyanomaly.testing.videos import synthetic_video
from tests.cli.conftest import Cli


class Terminal(io.StringIO):
    """Standard input that a person types into."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def store(folder: Path) -> Path:
    """Return the path of the answer store, which does not exist yet."""
    return folder.parent / "cache" / "answers.sqlite"


def n_asked(red: Cli) -> str:
    return red().err.splitlines()[-1].partition("; ")[2].partition(" ")[0]


def report(cli: Cli) -> dict[str, object]:
    result = cli("cache", "show", "--json")
    assert result.code == 0
    content: dict[str, object] = json.loads(result.out)
    return content


def test_show_before_the_first_run_creates_nothing(cli: Cli, store: Path) -> None:
    result = cli("cache", "show")
    assert result.code == 0
    assert f"{store} (does not exist yet)" in result.out
    assert "2.0 GB" in result.out
    assert "180 days" in result.out
    assert not store.parent.exists()


def test_show_counts_answers_by_backend_and_lists_the_rest_of_the_folder(cli: Cli, red: Cli, store: Path) -> None:
    red()
    red("--backend.words", "0.5")
    (store.parent / "demo").mkdir()
    (store.parent / "demo" / "clip.mp4").write_bytes(bytes(2**20))
    content = report(cli)
    assert (content["path"], content["answers"], content["problem"]) == (str(store), 4, None)
    assert content["bytes"] == store.stat().st_size
    assert {(each["backend"], each["n_answers"]) for each in content["backends"]} == {("red ", 2), ("red 0.5", 2)}  # type: ignore[attr-defined]
    assert content["others"] == [{"path": str(store.parent / "demo"), "bytes": 2**20}]
    assert str(content["last_used"]).startswith(time.strftime("%Y-", time.gmtime()))
    text = cli("cache", "show").out
    assert "red 0.5" in text
    assert "demo  1.0 MB" in text


def test_show_says_what_is_wrong_with_a_damaged_store(cli: Cli, store: Path) -> None:
    store.parent.mkdir()
    store.write_text("no database " * 100)
    assert "is damaged" in str(report(cli)["problem"])
    assert "anyanomaly cache clear" in cli("cache", "show").out
    result = cli("cache", "prune")
    assert result.code == 4
    assert "is damaged" in result.error


def test_prune_removes_what_was_not_used_for_long(cli: Cli, red: Cli, store: Path) -> None:
    red()
    connection = sqlite3.connect(store)
    with connection:
        connection.execute("UPDATE stored_answers SET used_at = ? WHERE id = 1", (int(time.time()) - 40 * 86_400,))
    connection.close()
    assert "removed 0 answers" in cli("cache", "prune").err
    assert "removed 0 answers" in cli("cache", "prune", "--older-than", "6w").err
    assert "removed 1 answers" in cli("cache", "prune", "--older-than", "30d").err
    assert n_asked(red) == "1"


def test_prune_to_a_size_shrinks_the_file(cli: Cli, red: Cli, store: Path) -> None:
    red("--backend.words", "0.5 " * 20_000)
    assert store.stat().st_size > 100_000
    assert "removed 2 answers" in cli("cache", "prune", "--max-size", "50KB").err
    assert store.stat().st_size < 50_000


def test_prune_shrinks_a_file_of_the_first_schema(cli: Cli, store: Path) -> None:
    store.parent.mkdir()
    connection = sqlite3.connect(store)
    with connection:
        connection.execute("CREATE TABLE answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID")
        connection.executemany("INSERT INTO answers VALUES (?, ?)", [(str(n), "x" * 1000) for n in range(500)])
    connection.close()
    assert report(cli)["answers"] == 500
    cli("cache", "prune", "--max-size", "100KB")
    assert store.stat().st_size <= 100_000


@pytest.mark.parametrize(
    "flags", [["--max-size", "much"], ["--max-size", "-1"], ["--older-than", "30"], ["--older-than", "9" * 9 + "w"]]
)
def test_prune_refuses_limits_that_are_none(cli: Cli, flags: list[str]) -> None:
    result = cli("cache", "prune", *flags)
    assert result.code == 2
    assert flags[0] in result.error
    assert "for example" in result.error


@pytest.mark.parametrize("name", ["ANYANOMALY_CACHE_MAX_SIZE", "ANYANOMALY_CACHE_MAX_AGE"])
def test_a_variable_that_is_no_limit_is_named_before_a_run_starts(
    cli: Cli, red: Cli, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "lots")
    for result in (red(), cli("cache", "show")):
        assert result.code == 2
        assert name in result.error
    monkeypatch.setenv(name, "off")
    assert red().code == 0
    assert "none" in cli("cache", "show").out


def test_a_run_applies_the_limits_of_the_variables(red: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert n_asked(red) == "2"
    assert n_asked(red) == "0"
    monkeypatch.setenv("ANYANOMALY_CACHE_MAX_SIZE", "1KB")
    assert n_asked(red) == "0"
    assert n_asked(red) == "2"


def test_clear_removes_the_answers_and_nothing_else(cli: Cli, red: Cli, store: Path) -> None:
    red()
    (store.parent / "answers.txt").write_text("mine")
    result = cli("cache", "clear", "--yes")
    assert (result.code, result.error) == (0, "anyanomaly: Removed 2 answers.")
    assert (store.parent / "answers.txt").read_text() == "mine"
    assert b"It is that red" not in store.read_bytes()
    assert n_asked(red) == "2"


@pytest.mark.parametrize(("typed", "n_left"), [("y\n", 0), ("YES\n", 0), ("n\n", 2), ("\n", 2), ("", 2)])
def test_clear_asks(cli: Cli, red: Cli, monkeypatch: pytest.MonkeyPatch, typed: str, n_left: int) -> None:
    red()
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    result = cli("cache", "clear")
    assert result.code == 0
    assert "has 2 answers. Clear it? [y/N]" in result.err
    assert report(cli)["answers"] == n_left


def test_scores_of_runs_are_shown_pruned_and_cleared(cli: Cli, red: Cli, folder: Path, store: Path) -> None:
    synthetic_video(folder / "clip.mp4", n_frames=16)
    synthetic_video(folder / "other.mp4", n_frames=8)
    for video in ("clip.mp4", "other.mp4"):
        assert red(video=video).code == 0
    runs = report(cli)["runs"]
    assert isinstance(runs, dict)
    assert (runs["path"], runs["videos"]) == (str(store.parent / "runs"), 2)
    assert runs["bytes"] > 0
    assert report(cli)["others"] == []
    assert "scores of runs" in cli("cache", "show").out
    assert "the scores of 0 videos" in cli("cache", "prune").err
    assert "the scores of 2 videos" in cli("cache", "prune", "--max-size", "0B").err
    assert red(video="clip.mp4").code == 0
    result = cli("cache", "clear", "--yes")
    assert (result.code, "the scores of 1 videos" in result.err) == (0, True)
    assert not list((store.parent / "runs").iterdir())


def test_clear_without_a_terminal_needs_yes(cli: Cli, red: Cli, monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
    assert "no answer store" in cli("cache", "clear").error
    red()
    for stdin in (io.StringIO("y\n"), None):
        monkeypatch.setattr("sys.stdin", stdin)
        result = cli("cache", "clear")
        assert result.code == 2
        assert "--yes" in result.error
    assert report(cli)["answers"] == 2


def test_clear_removes_a_store_that_cannot_be_read_but_no_folder(cli: Cli, red: Cli, store: Path) -> None:
    store.parent.mkdir()
    store.write_text("no database " * 100)
    assert "could not be read" in cli("cache", "clear", "--yes").error
    store.mkdir()
    (store / "file").touch()
    result = cli("cache", "clear", "--yes")
    assert result.code == 4
    assert "is a folder. Remove it." in result.error
    assert (store / "file").exists()
