"""``anyanomaly config``: the settings in effect, their file, and a new file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from anyanomaly.config.model import RunConfig
from tests.cli.conftest import Cli


def test_every_value_has_its_origin(cli: Cli, folder: Path) -> None:
    (folder / "anyanomaly.toml").write_text("preset = 'paper'\n[run]\nthreshold = 0.4\nevery = 2\n")
    output = cli("config", "show", "-t", "red", "--every", "3").out
    for line in (
        'texts = ["red"]  # flag',
        "every = 3  # flag",
        "threshold = 0.4  # file anyanomaly.toml",
        "keep_tail = false  # preset paper",
        "seed = 0  # default",
    ):
        assert line in output.splitlines()


def test_the_output_is_a_config_file_of_the_same_run(cli: Cli, folder: Path) -> None:
    flags = [
        "street.scene",
        "-t",
        'a "quoted" \\ text',
        "--preset",
        "paper",
        "--backend",
        "red",
        "--backend.level",
        ".5",
    ]
    first_output = cli("config", "show", *flags, "-o", "a.csv").out
    (folder / "first.toml").write_text(first_output)
    second_output = cli("--config", "first.toml", "config", "show").out
    assert tomllib.loads(second_output) == tomllib.loads(first_output)


def test_where_the_config_file_is_searched(cli: Cli, folder: Path) -> None:
    result = cli("config", "path")
    assert result.code == 0
    assert not result.out
    assert "anyanomaly config init" in result.err
    user = folder.parent / "user-config" / "anyanomaly" / "anyanomaly.toml"
    user.parent.mkdir(parents=True)
    user.touch()
    assert cli("config", "path").out == f"{user}\n"
    Path("anyanomaly.toml").touch()
    assert cli("config", "path").out == "anyanomaly.toml\n"
    Path("mine.toml").touch()
    assert cli("--config", "mine.toml", "config", "path").out == "mine.toml\n"


def test_a_new_file_changes_nothing_and_has_every_setting(cli: Cli) -> None:
    assert cli("config", "init").out == "anyanomaly.toml\n"
    content = Path("anyanomaly.toml").read_text()
    assert RunConfig.model_validate(tomllib.loads(content)) == RunConfig()
    for name in RunConfig().run.model_dump():
        assert f"# {name} =" in content


def test_a_new_file_never_overwrites_another(cli: Cli) -> None:
    Path("anyanomaly.toml").write_text("texts = ['mine']\n")
    result = cli("config", "init")
    assert result.code == 2
    assert result.error.startswith("anyanomaly: anyanomaly.toml exists already and is not overwritten")
    assert Path("anyanomaly.toml").read_text() == "texts = ['mine']\n"
    assert cli("config", "init", "no/folder/x.toml").code == 6
