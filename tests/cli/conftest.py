"""The command line, run in this process, away from the user's own files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from anyanomaly.cli import main

PLUGIN = str(Path(__file__).with_name("fake_plugin.py"))


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The only line on standard error."""
        (line,) = self.err.splitlines()
        return line


Cli = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a new working folder; the user's folders are beside it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user-config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user-state"))
    monkeypatch.setenv("ANYANOMALY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("ANYANOMALY_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "110")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    (work / "street.scene").write_text("32")
    return work


@pytest.fixture
def settings_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty config file that the environment names: it needs no trust and is not announced."""
    monkeypatch.setenv("ANYANOMALY_CONFIG", "anyanomaly.toml")
    path = folder / "anyanomaly.toml"
    path.touch()
    return path


@pytest.fixture
def cli(folder: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Return a function that runs ``anyanomaly`` with the fake plugin and arguments."""

    def run(*arguments: str, plugin: bool = True) -> Result:
        code = main([*(["-p", PLUGIN] if plugin else []), *arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def red(cli: Cli) -> Cli:
    """Return a function that runs ``anyanomaly run`` on the street with the backend that sees red and further flags."""

    def run(*flags: str, video: str = "street.scene", text: str = "red") -> Result:
        plain = ["--selector", "middle", "--context", "key", "--backend", "red", "--segment-frames", "8"]
        return cli("run", video, "-t", text, *plain, "--smooth-seconds", "0", *flags)

    return run
