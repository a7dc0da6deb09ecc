"""Text from outside reaches a terminal through one module: nothing else of the command line prints."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRINTERS = {
    "src/anyanomaly/cli/output.py",
    "src/anyanomaly/cli/live.py",  # lines that change; their texts are cleaned by `live_text.Glyphs`
    "src/anyanomaly/api/safe_file.py",  # results on standard output
    "src/anyanomaly/bench/worker.py",  # messages to the process that started it
}
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "plugins").glob("*/src/**/*.py")]
    if path.relative_to(ROOT).as_posix() not in PRINTERS
)


def _unsafe_printing_calls(source: str) -> list[str]:
    """Return the functions that print something else than the result of ``terminal_text`` or ``terminal_line``."""
    names = {"print", "typer.echo", "typer.secho", "traceback.print_exc"}
    ends = ("stdout.write", "stderr.write", "console.print", "console.file.write")
    calls = [(ast.unparse(node.func), node.args) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        name
        for name, arguments in calls
        if (name in names or name.endswith(ends))
        and not all(ast.unparse(argument).startswith(("terminal_text(", "terminal_line(")) for argument in arguments)
    ]


@pytest.mark.parametrize("module", MODULES)
def test_only_the_output_module_prints(module: str) -> None:
    assert not _unsafe_printing_calls((ROOT / module).read_text(encoding="utf-8"))


def test_calls_that_print_are_seen() -> None:
    source = "print(1)\ntyper.echo(2)\nsys.stderr.write('3')\nconsole.print(4)\nprint(terminal_text(text), end='')"
    assert _unsafe_printing_calls(source) == ["print", "typer.echo", "sys.stderr.write", "console.print"]
