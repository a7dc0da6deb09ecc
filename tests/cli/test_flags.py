"""The options of the components of a run are flags, with types, defaults and completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PLUGIN, Cli


def test_help_lists_the_options_of_the_components_of_the_run(cli: Cli) -> None:
    listed = cli("run", "--backend", "red", "--context", "key", "--help")
    assert listed.code == 0
    assert "--backend.level NUMBER" in listed.out
    assert "multiply scores by this [default: 1.0]" in listed.out
    assert "--backend.mode plain|fancy" in listed.out
    assert "--backend.loud / --backend.no-loud" in listed.out
    assert "--context.key.weight NUMBER" in listed.out
    assert "--context.temporal" not in listed.out
    assert "--backend.token" not in listed.out


def test_help_shows_the_values_in_effect(cli: Cli, settings_file: Path) -> None:
    settings_file.write_text("[backend]\nname = 'red'\nlevel = 0.5\nnames = ['a', 'b']\n[run]\nevery = 3\n")
    output = cli("run", "--help").out
    assert "multiply scores by this [default: 0.5]" in output
    assert "names it knows [default: a, b]" in output
    assert "read every n-th frame [default: 3]" in output
    assert "[default: 0.6]" in cli("run", "--preset", "paper", "--context", "key", "--help").out


def test_options_reach_the_component_with_their_types(cli: Cli) -> None:
    flags = ["--backend.level", "0.5", "--backend.loud", "--backend.names", "a", "--backend.names", "b"]
    output = cli("config", "show", "--backend", "red", *flags).out
    assert 'names = ["a", "b"]  # flag' in output
    assert "level = 0.5  # flag" in output
    assert "loud = true  # flag" in output


def test_an_option_that_is_hidden_in_logs_is_a_flag_like_others(cli: Cli) -> None:
    shown = cli("config", "show", "--backend", "red", "--backend.words", "0.5")
    assert 'words = "0.5"  # flag' in shown.out
    assert shown.err == ""


def test_options_can_be_written_with_an_equals_sign(cli: Cli) -> None:
    assert "level = 0.5  # flag" in cli("config", "show", "--backend=red", "--backend.level=0.5").out


@pytest.mark.parametrize("flag", ["--context.position.windows", "--context.position.encoding"])
def test_dense_windows_of_the_position_context_have_two_flags(cli: Cli, flag: str) -> None:
    assert 'encoding = "dense"  # flag' in cli("config", "show", flag, "dense").out
    assert "--context.position.encoding cannot be 'denser'" in cli("config", "show", flag, "denser").err


@pytest.mark.parametrize("flag", ["--context.temporal.windows", "--selector.windows"])
def test_dense_where_a_number_of_windows_is_expected_names_the_option(cli: Cli, flag: str) -> None:
    refused = cli("config", "show", flag, "dense")
    assert refused.code == 2
    assert f"{flag}: these are numbers; the option for dense windows is encoding." in refused.err
    assert 'encoding = "dense"  # flag' in cli("config", "show", flag.replace("windows", "encoding"), "dense").out


def test_sinks_by_suffix_and_by_name(cli: Cli) -> None:
    output = cli("config", "show", "-o", "a.jsonl", "--sink", "csv", "--sink.csv.path", "b.txt").out
    assert 'name = "jsonl"\npath = "a.jsonl"' in output
    assert 'name = "csv"\npath = "b.txt"' in output


def complete(line: str, folder: Path) -> list[str]:
    """Return the completions of a line as bash requests them; a space at its end requests the next argument."""
    n_words = len(line.split(" "))
    variables = {"_ANYANOMALY_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(n_words - 1)}
    process = subprocess.run(
        [sys.executable, "-m", "anyanomaly"],
        env={**os.environ, **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not process.stderr
    return process.stdout.split()


def test_completion_knows_components_and_their_options(folder: Path) -> None:
    start = f"anyanomaly -p {PLUGIN} run --backend"
    assert complete(f"{start} r", folder) == ["red", "replay"]
    assert "--backend.level" in complete(f"{start} red --backend.", folder)
    assert complete(f"{start} red --backend.mode f", folder) == ["fancy"]
    assert complete("anyanomaly run --preset paper-", folder) == ["paper-avenue"]


def test_completion_prints_no_errors(folder: Path) -> None:
    assert "--threshold" in complete("anyanomaly run --backend nonsense --", folder)
    assert complete("anyanomaly -p gone.py run --", folder) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_can_be_shown(folder: Path, shell: str) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "anyanomaly", "--show-completion", shell],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0
    assert "_ANYANOMALY_COMPLETE" in process.stdout
