"""``anyanomaly config trust``: what a config file in the current folder may do, and what it does not stop."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

NOTICE = "anyanomaly: settings from anyanomaly.toml in the current folder; --config names another file."
PLAIN = "selector = 'middle'\ncontexts = ['key']\n[encoder]\nname = 'colour'\n[backend]\nname = 'red'\n"
SINK = f"{PLAIN}[[sink]]\npath = 'victim.jsonl'\n"
RUN = ("run", "street.scene", "-t", "red", "--segment-frames", "8")
COMMANDS = (
    RUN,
    ("show", "street.scene", "-t", "red", "--segment", "0", "-d", "page"),
    ("config", "show"),
)


@pytest.fixture(autouse=True)
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `doctor` list no devices: importing torch takes longer than all of these tests."""
    monkeypatch.setattr("anyanomaly.cli.doctor.DEVICES", "print('[]')")


@pytest.mark.parametrize("command", [*COMMANDS, ("doctor",)], ids=" ".join)
def test_a_file_of_the_folder_is_announced_once(cli: Cli, folder: Path, command: tuple[str, ...]) -> None:
    (folder / "anyanomaly.toml").write_text(PLAIN)
    result = cli(*command)
    assert result.code == 0
    assert result.err.splitlines().count(NOTICE) == 1
    assert NOTICE not in cli("-q", *command).err
    assert NOTICE not in cli("--config", "anyanomaly.toml", *command).err


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_could_harm_counts_once_the_content_is_accepted(cli: Cli, folder: Path, command: tuple[str, ...]) -> None:
    file = folder / "anyanomaly.toml"
    file.write_text(SINK)
    refused = cli(*command)
    assert refused.code == 2
    assert "sets sink" in refused.error
    assert refused.error.endswith(
        "you have not accepted it. Read the file; if you trust it, run: anyanomaly config trust"
    )
    accepted = cli("config", "trust")
    assert (accepted.code, accepted.out) == (0, "sink\n")
    assert cli(*command).code == 0
    file.write_text(SINK.replace("victim", "other"))
    assert "it has changed since you accepted it" in cli(*command).error
    file.write_text(SINK)
    assert cli(*command).code == 0
    assert cli("config", "untrust").out == "anyanomaly.toml is not accepted any more.\n"
    assert cli(*command).code == 2


def test_flags_and_a_named_file_need_no_trust(cli: Cli, folder: Path) -> None:
    (folder / "anyanomaly.toml").write_text(SINK)
    assert cli("--config", "anyanomaly.toml", *RUN).code == 0
    (folder / "anyanomaly.toml").write_text(PLAIN)
    assert cli(*RUN, "-o", "own.jsonl").code == 0
    assert (folder / "own.jsonl").is_file()


@pytest.mark.parametrize("content", ["[run\n", SINK, None], ids=["broken", "not accepted", "a pipe"])
def test_a_file_stops_no_command_that_does_not_need_it(cli: Cli, folder: Path, content: str | None) -> None:
    file = folder / "anyanomaly.toml"
    os.mkfifo(file) if content is None else file.write_text(content)
    for words in (
        *(("--help",), ("run", "--help"), ("eval", "-h"), ("config", "show", "--help"), ("config", "path")),
        *(("plugins",), ("doctor",), ("config", "init", "new.toml"), ("hello", "x")),
    ):
        assert cli(*words).code == 0, words


def test_only_the_file_that_is_found_unasked_can_be_accepted(cli: Cli, folder: Path) -> None:
    (folder / "mine.toml").write_text(SINK)
    assert "use another one with: --config mine.toml" in cli("config", "trust", "mine.toml").error
    assert "cannot be read" in cli("config", "trust").error
    (folder / "anyanomaly.toml").write_text("[rum]\n")
    assert "no setting 'rum'" in cli("config", "trust").error
    assert cli("config", "untrust").out == "anyanomaly.toml was not accepted.\n"


def test_a_backend_that_sends_images_away_has_to_be_accepted(cli: Cli, folder: Path) -> None:
    (folder / "anyanomaly.toml").write_text("backend = 'cloud'\n")
    assert "sets backend.name" in cli("config", "show").error
