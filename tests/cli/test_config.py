"""``anyanomaly config``: what holds, where it is, how to start."""

from __future__ import annotations

import tomllib
from pathlib import Path

from anyanomaly.config.model import RunConfig
from tests.cli.conftest import Cli


def test_every_value_says_where_it_comes_from(cli: Cli, folder: Path) -> None:
    (folder / "anyanomaly.toml").write_text("preset = 'paper'\n[run]\nthreshold = 0.4\nevery = 2\n")
    shown = cli("config", "show", "-t", "red", "--every", "3").out
    for line in (
        'texts = ["red"]  # flag',
        "every = 3  # flag",
        "threshold = 0.4  # file anyanomaly.toml",
        "keep_tail = false  # preset paper",
        "seed = 0  # default",
    ):
        assert line in shown.splitlines()


def test_what_is_shown_is_a_config_file_of_the_same_run(cli: Cli, folder: Path) -> None:
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
    shown = cli("config", "show", *flags, "-o", "a.csv").out
    (folder / "again.toml").write_text(shown)
    again = cli("--config", "again.toml", "config", "show").out
    assert tomllib.loads(again) == tomllib.loads(shown)


def test_where_the_file_is_looked_for(cli: Cli, folder: Path) -> None:
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


def test_a_new_file_changes_nothing_and_holds_every_setting(cli: Cli) -> None:
    assert cli("config", "init").out == "anyanomaly.toml\n"
    content = Path("anyanomaly.toml").read_text()
    assert RunConfig.model_validate(tomllib.loads(content)) == RunConfig()
    for name in RunConfig().run.model_dump():
        assert f"# {name} =" in content


def test_a_new_file_never_takes_the_place_of_another(cli: Cli) -> None:
    Path("anyanomaly.toml").write_text("texts = ['mine']\n")
    result = cli("config", "init")
    assert result.code == 2
    assert result.error.startswith("anyanomaly: anyanomaly.toml exists and is left as it is")
    assert Path("anyanomaly.toml").read_text() == "texts = ['mine']\n"
    assert cli("config", "init", "no/folder/x.toml").code == 6
