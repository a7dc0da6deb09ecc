"""Wrong use ends with one line that says what is wrong and what to do, and with the exit code of its kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from anyanomaly.install import install_command
from tests.cli.conftest import Cli

WRONG_FLAGS = {
    "unknown component": (["--backend", "rde"], "Unknown backend 'rde'. Did you mean 'red'? Installed: "),
    "unknown context": (["--context", "kye"], "Unknown context 'kye'. Did you mean 'key'?"),
    "unknown preset": (["--preset", "papr"], "There is no preset 'papr'. Did you mean 'paper'? Presets: "),
    "unknown prompt": (["--prompt", "nice"], "There is no prompt 'nice'. Use one of "),
    "unknown option of a component": (["--backend.levle", "1"], "No such option: --backend.levle"),
    "no number": (["--backend.level", "high"], "--backend.level cannot be 'high': input should be a valid number"),
    "out of range": (["--threshold", "2"], "--threshold cannot be '2': input should be less than or equal to 1."),
    "zero frames": (["--every", "0"], "--every cannot be '0': input should be greater than or equal to 1."),
    "no choice": (["--backend.mode", "odd"], "--backend.mode cannot be 'odd': input should be 'plain' or 'fancy'."),
    "no device": (["--device", "gpu"], "--device: 'gpu' is not a device; use auto, cpu, mps, cuda or cuda:N."),
    "weight below 0": (["--context.key.weight", "-1"], "--context.key.weight cannot be '-1': "),
    "no value": (["--backend"], "Option '--backend' requires an argument. See: anyanomaly run --help"),
    "a secret as a flag": (["--backend.token", "x"], "No such option: --backend.token"),
    "frames leave the machine": (["--backend", "cloud"], "Backend 'cloud' sends images off this machine. "),
    "no format": (["-o", "results.xyz"], "Cannot infer an output format from 'results.xyz'. Use one of .csv, "),
    "global after the command": (["-q"], "No such option: -q. -q belongs before the command: anyanomaly -q ... run"),
}


@pytest.mark.parametrize(("flags", "message"), WRONG_FLAGS.values(), ids=WRONG_FLAGS.keys())
def test_wrong_flags(red: Cli, flags: list[str], message: str) -> None:
    result = red(*flags)
    assert result.code == 2
    assert result.error.startswith(f"anyanomaly: {message}")
    assert not result.out


WRONG_TEXTS = {
    "empty": ("", "An event text is empty."),
    "blank": (" \t", "An event text is empty."),
    "too long": ("x" * 10_000, "The event text 'xxxx"),
    "line break": ("a\nb", "The event text 'a\\nb' holds a line break"),
    "escape": ("a\x1b[0m", "The event text 'a\\x1b[0m' holds a line break or control character"),
}


@pytest.mark.parametrize(("text", "message"), WRONG_TEXTS.values(), ids=WRONG_TEXTS.keys())
def test_wrong_texts(red: Cli, text: str, message: str) -> None:
    result = red(text=text)
    assert result.code == 2
    assert result.error.startswith(f"anyanomaly: {message}")
    assert len(result.error) < 200


def test_one_text_twice(red: Cli) -> None:
    assert red("-t", "red").error == ("anyanomaly: The event text 'red' is repeated; give it once.")


def test_nothing_to_search_for_and_nowhere_to_search(cli: Cli) -> None:
    assert cli("run", "-t", "red").error.startswith("anyanomaly: There is no video to search.")
    assert cli("run", "street.scene").error.startswith("anyanomaly: There is no event text")


def test_unknown_command(cli: Cli) -> None:
    result = cli("rnu")
    assert result.code == 2
    assert result.error == "anyanomaly: No such command 'rnu'. Did you mean 'run'? See: anyanomaly --help"


def test_a_missing_video(red: Cli) -> None:
    result = red(video="gone.scene")
    assert result.code == 4
    assert result.error == "anyanomaly: There is no video gone.scene."


def test_a_missing_requirement_says_what_to_run(red: Cli) -> None:
    result = red("--backend", "lacking")
    assert result.code == 3
    assert result.error == f"anyanomaly: Backend 'lacking' needs no-such-thing>=2. Run: {install_command('it')}"


def test_a_missing_plugin_file(cli: Cli) -> None:
    result = cli("-p", "gone.py", "plugins", plugin=False)
    assert result.code == 2
    assert result.error == "anyanomaly: Cannot load the plugin gone.py: there is no such file. Check the path."


def test_an_output_that_cannot_be_written(red: Cli) -> None:
    result = red("-o", "street.scene/results.jsonl")
    assert result.code == 6
    assert "street.scene/results.jsonl" in result.error
    assert not result.out


BROKEN_FILES = {
    "no TOML": ("[run\n", "The config file anyanomaly.toml is not valid TOML: "),
    "no text": (b"\xff\xfe", "The config file anyanomaly.toml is not valid TOML: "),
    "unknown table": ("[rum]\n", "In the config file anyanomaly.toml: There is no setting 'rum'. Did you mean 'run'?"),
    "unknown key": (
        "[run]\ntreshold = 1\n",
        "In the config file anyanomaly.toml: There is no setting 'run.treshold'. Did you mean 'threshold'?",
    ),
    "wrong value": (
        "[run]\nthreshold = 2\n",
        "In the config file anyanomaly.toml: run.threshold cannot be 2: input should be less than or equal to 1.",
    ),
    "no table": ("run = 3\n", "In the config file anyanomaly.toml: run cannot be 3: it must be a table."),
}


@pytest.mark.parametrize(("content", "message"), BROKEN_FILES.values(), ids=BROKEN_FILES.keys())
def test_broken_config_files(red: Cli, folder: Path, content: str | bytes, message: str) -> None:
    (folder / "anyanomaly.toml").write_bytes(content.encode() if isinstance(content, str) else content)
    result = red()
    assert result.code == 2
    assert result.error.startswith(f"anyanomaly: {message}")


def test_an_unknown_option_of_a_component(red: Cli, settings_file: Path) -> None:
    settings_file.write_text("[backend]\nname = 'red'\nlevle = 1\n")
    assert "Backend 'red' has no option 'levle'. Did you mean " in red().error


def test_a_missing_config_file(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("--config", "my.toml", "run").error == (
        "anyanomaly: There is no config file my.toml (--config). Write one with: anyanomaly config init my.toml"
    )
    monkeypatch.setenv("ANYANOMALY_CONFIG", "other.toml")
    assert "other.toml (ANYANOMALY_CONFIG)" in cli("config", "show").error


def test_the_format_of_another_suffix_is_named_as_the_message_says(red: Cli) -> None:
    advice = red("-o", "results.xyz").error.partition("instead of -o: ")[2].split()
    assert red(*advice).code == 0
    assert Path("results.xyz").read_text()


def test_a_wrong_flag_of_a_subcommand_names_its_help(cli: Cli) -> None:
    assert cli("config", "show", "--nope").error.endswith("See: anyanomaly config show --help")
