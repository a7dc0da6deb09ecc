"""The options of the chosen components are flags, with types, defaults and completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PLUGIN, Cli


def test_help_lists_the_options_of_the_components_chosen(cli: Cli) -> None:
    listed = cli("run", "--backend", "red", "--context", "key", "--help")
    assert listed.code == 0
    assert "--backend.level NUMBER" in listed.out
    assert "multiply scores by this [default: 1.0]" in listed.out
    assert "--backend.mode plain|fancy" in listed.out
    assert "--backend.loud / --backend.no-loud" in listed.out
    assert "--context.key.weight NUMBER" in listed.out
    assert "--context.temporal" not in listed.out
    assert "--backend.token" not in listed.out


def test_help_shows_the_values_that_hold(cli: Cli, folder: Path) -> None:
    (folder / "anyanomaly.toml").write_text(
        "[backend]\nname = 'red'\nlevel = 0.5\nnames = ['a', 'b']\n[run]\nevery = 3\n"
    )
    shown = cli("run", "--help").out
    assert "multiply scores by this [default: 0.5]" in shown
    assert "names it knows [default: a, b]" in shown
    assert "read every n-th frame [default: 3]" in shown
    assert "[default: 0.6]" in cli("run", "--preset", "paper", "--context", "key", "--help").out


def test_options_reach_the_component_with_their_types(cli: Cli) -> None:
    flags = ["--backend.level", "0.5", "--backend.loud", "--backend.names", "a", "--backend.names", "b"]
    shown = cli("config", "show", "--backend", "red", *flags).out
    assert 'names = ["a", "b"]  # flag' in shown
    assert "level = 0.5  # flag" in shown
    assert "loud = true  # flag" in shown


def test_options_can_be_written_with_an_equals_sign(cli: Cli) -> None:
    assert "level = 0.5  # flag" in cli("config", "show", "--backend=red", "--backend.level=0.5").out


def test_sinks_by_suffix_and_by_name(cli: Cli) -> None:
    shown = cli("config", "show", "-o", "a.jsonl", "--sink", "csv", "--sink.csv.path", "b.txt").out
    assert 'name = "jsonl"\npath = "a.jsonl"' in shown
    assert 'name = "csv"\npath = "b.txt"' in shown


def complete(line: str, folder: Path) -> list[str]:
    """Ask for completions as bash does; a line that ends in a space asks for the next word."""
    words = line.split(" ")
    asked = {"_ANYANOMALY_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-m", "anyanomaly"],
        env={**os.environ, **asked},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout.split()


def test_completion_knows_components_and_their_options(folder: Path) -> None:
    start = f"anyanomaly -p {PLUGIN} run --backend"
    assert complete(f"{start} r", folder) == ["red", "replay"]
    assert "--backend.level" in complete(f"{start} red --backend.", folder)
    assert complete(f"{start} red --backend.mode f", folder) == ["fancy"]
    assert complete("anyanomaly run --preset paper-", folder) == ["paper-avenue"]


def test_completion_is_no_place_for_complaints(folder: Path) -> None:
    assert "--threshold" in complete("anyanomaly run --backend nonsense --", folder)
    assert complete("anyanomaly -p gone.py run --", folder) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_can_be_shown(folder: Path, shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "anyanomaly", "--show-completion", shell],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "_ANYANOMALY_COMPLETE" in done.stdout
