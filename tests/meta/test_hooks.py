"""Each hook is documented with its signature, and collected from a plugin that implements it."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from anyanomaly import hookspecs, registry
from anyanomaly.specs import ROLES, Role

ROOT = Path(__file__).resolve().parents[2]
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("anyanomaly_")}


def test_there_are_nine() -> None:
    assert len(HOOKS) == len(ROLES) + 1 == 9


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_documented_with_its_signature(name: str) -> None:
    page = (ROOT / "docs" / "hooks.md").read_text()
    signature = f"def {name}{inspect.signature(HOOKS[name])}:".replace("'", "")
    assert signature in page


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_each_register_hook_gives_its_specs(role: Role, tmp_path: Path) -> None:
    plugin = tmp_path / f"plugin_{role.name}.py"
    spec = role.spec.__name__
    plugin.write_text(
        f"from anyanomaly import {spec}, hookimpl\n"
        f"@hookimpl\ndef {role.hook}():\n"
        f"    return [{spec}(name='of-a-test', summary='s', target='plugin_{role.name}:Nothing')]\n"
    )
    assert isinstance(registry.load([str(plugin)]).find(role.name, "of-a-test"), role.spec)


def test_the_commands_hook_adds_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from anyanomaly.cli import main

    plugin = tmp_path / "plugin_commands.py"
    plugin.write_text(
        "from anyanomaly import hookimpl\n"
        "@hookimpl\ndef anyanomaly_register_commands(app):\n"
        "    @app.command()\n    def greet() -> None:\n        'Greet.'\n        print('hello from a plugin')\n"
    )
    assert main(["-p", str(plugin), "greet"]) == 0
    assert "hello from a plugin" in capsys.readouterr().out
    assert main(["-p", str(plugin), "--help"]) == 0
    assert "Greet." in capsys.readouterr().out
