"""``anyanomaly plugins``: the components, their options and their missing requirements."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from anyanomaly.install import install_command
from tests.cli.conftest import PLUGIN, Cli


def test_components_are_listed_by_role(cli: Cli) -> None:
    result = cli("plugins", "backend")
    assert result.code == 0
    rows = [line.split()[:2] for line in result.out.splitlines()]
    assert ["backend", "red"] in rows
    assert {row[0] for row in rows} == {"backend"}
    assert ["reader", "scene"] in [line.split()[:2] for line in cli("plugins").out.splitlines()]


def test_a_component_that_lacks_something_says_what_to_run(cli: Cli) -> None:
    (line,) = [line for line in cli("plugins").out.splitlines() if " lacking " in line]
    assert line.endswith(f"(needs no-such-thing>=2; run: {install_command('it')})")


def test_the_list_as_json(cli: Cli) -> None:
    output = json.loads(cli("plugins", "backend", "--json").out)
    (lacking,) = [component for component in output["components"] if component["name"] == "lacking"]
    assert lacking["missing"] == ["no-such-thing>=2"]
    assert output["problems"] == []


def test_the_list_has_memory_and_licence_of_weights(cli: Cli, folder: Path) -> None:
    (folder / "heavy.py").write_text(
        "from anyanomaly import BackendSpec, hookimpl\n"
        "@hookimpl\n"
        "def anyanomaly_register_backends():\n"
        "    return [BackendSpec(name='heavy', summary='Heavy', target='heavy:Heavy', memory='14 GB', licence='MIT'),\n"
        "            BackendSpec(name='light', summary='Light', target='heavy:Light', licence='its own')]\n"
    )
    lines = cli("-p", "heavy.py", "plugins", "backend").out.splitlines()
    assert [line for line in lines if line.endswith("  Heavy [14 GB; MIT]")]
    assert [line for line in lines if line.endswith("  Light [its own]")]
    components = json.loads(cli("-p", "heavy.py", "plugins", "backend", "--json").out)["components"]
    (heavy,) = [component for component in components if component["name"] == "heavy"]
    assert (heavy["memory"], heavy["licence"]) == ("14 GB", "MIT")
    rows = cli("-p", "heavy.py", "plugins", "show", "backend:heavy").out.splitlines()
    assert {"licence MIT", "memory 14 GB"} <= {" ".join(row.split()) for row in rows}


def test_names_in_conflict_are_marked(cli: Cli, folder: Path) -> None:
    (folder / "rival.py").write_text(
        "from anyanomaly import BackendSpec, hookimpl\n"
        "@hookimpl\n"
        "def anyanomaly_register_backends():\n"
        "    return [BackendSpec(name='red', summary='Another red', target='rival:Red')]\n"
    )
    output = cli("-p", "rival.py", "plugins", "backend").out
    assert output.count("(in conflict: two plugins offer this name)") == 2
    result = cli("-p", "rival.py", "run", "street.scene", "-t", "red", "--backend", "red")
    assert result.code == 2
    assert "both offer the backend 'red'" in result.error


def test_a_component_is_described_with_its_flags(cli: Cli) -> None:
    output = cli("plugins", "show", "backend:red").out
    assert output.startswith("backend red: Sees red\n")
    assert "--backend.level NUMBER\n      multiply scores by this [default: 1.0]" in output
    assert "--context.key.weight NUMBER" in cli("plugins", "show", "context:key").out
    assert "It has no options." in cli("plugins", "show", "reader:scene").out


def test_a_component_as_json_holds_the_schema_of_its_options(cli: Cli) -> None:
    output = json.loads(cli("plugins", "show", "backend:red", "--json").out)
    assert output["options_schema"]["properties"]["level"]["default"] == 1.0


@pytest.mark.parametrize("name", ["red", "bakend:red", "backend:rde"])
def test_a_component_that_does_not_exist(cli: Cli, name: str) -> None:
    result = cli("plugins", "show", name)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1


def test_commands_of_plugins_are_added(cli: Cli) -> None:
    assert "Greet somebody." in cli("--help").out
    assert cli("hello", "Bo").out == "hello Bo\n"


def test_a_command_with_the_name_of_a_built_in_command_is_refused(cli: Cli, folder: Path) -> None:
    (folder / "thief.py").write_text(
        "from anyanomaly import hookimpl\n"
        "@hookimpl\n"
        "def anyanomaly_register_commands(app):\n"
        "    @app.command()\n"
        "    def run(): print('stolen')\n"
    )
    assert "Find events in videos." in cli("-p", "thief.py", "--help").out
    assert "stolen" not in cli("-p", "thief.py", "run", "--help").out


def test_check_tests_the_contract_with_options(folder: Path) -> None:
    def check(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "anyanomaly", "-p", PLUGIN, "plugins", "check", *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    sound = check("encoder:colour")
    assert sound.returncode == 0, sound.stdout
    assert "passed" in sound.stdout
    broken = check("backend:red", "--backend.fail", "bug")
    assert broken.returncode == 2
    assert broken.stderr.splitlines()[-1] == "anyanomaly: Backend 'red' violates the contract of its role; see above."
    assert "cannot be 'odd'" in check("backend:red", "--backend.mode", "odd").stderr
