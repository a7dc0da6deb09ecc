"""Commands of plugins: whatever goes wrong in them is the plugin's failure, and never that of another command."""

from __future__ import annotations

from pathlib import Path

import pytest

from anyanomaly.cli import main

HEAD = """
import sys, typer
from anyanomaly import hookimpl
from anyanomaly.errors import BackendError
@hookimpl
def anyanomaly_register_commands(app):
    @app.command()
    def mine(size: int = 1):
        "Do it."
"""
ENDS = {
    "pass": (0, ""),
    "raise typer.Exit(9)": (9, ""),
    "raise BackendError('The engine died.')": (5, "anyanomaly: The engine died."),
    "1 / 0": (2, "Plugin 'command_plugin' failed in its command mine: ZeroDivisionError: division by zero ("),
    "sys.exit(0)": (2, "Plugin 'command_plugin' failed in its command mine: SystemExit: 0 ("),
    "raise EOFError('no input')": (2, "Plugin 'command_plugin' failed in its command mine: EOFError: no input ("),
}
UNREADABLE = """
from anyanomaly import hookimpl
@hookimpl
def anyanomaly_register_commands(app):
    @app.command()
    def mine(size: list[list[int]]): pass
"""


@pytest.mark.parametrize(("body", "end"), ENDS.items(), ids=ENDS)
def test_how_a_command_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, end: tuple[int, str]
) -> None:
    (tmp_path / "command_plugin.py").write_text(f"{HEAD}        {body}\n")
    assert main(["-p", str(tmp_path / "command_plugin.py"), "mine"]) == end[0]
    error = capsys.readouterr().err
    assert end[1] in error
    assert "Traceback" not in error


def test_a_command_that_cannot_be_read_does_not_break_help(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "odd_command_plugin.py").write_text(UNREADABLE)
    assert main(["-p", str(tmp_path / "odd_command_plugin.py"), "--help"]) == 0
    captured = capsys.readouterr()
    assert "Find events in videos." in captured.out
    assert "mine" not in captured.out
