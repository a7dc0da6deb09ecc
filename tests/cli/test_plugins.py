"""``anyanomaly plugins``: what is there, what it takes, what it lacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from anyanomaly.install import install_command
from tests.cli.conftest import PLUGIN, Cli


def test_components_are_listed_by_role(cli: Cli) -> None:
    listed = cli("plugins", "backend")
    assert listed.code == 0
    rows = [line.split()[:2] for line in listed.out.splitlines()]
    assert ["backend", "red"] in rows
    assert {row[0] for row in rows} == {"backend"}
    assert ["reader", "scene"] in [line.split()[:2] for line in cli("plugins").out.splitlines()]


def test_a_component_that_lacks_something_says_what_to_run(cli: Cli) -> None:
    (line,) = [line for line in cli("plugins").out.splitlines() if " lacking " in line]
    assert line.endswith(f"(needs no-such-thing>=2; run: {install_command('it')})")


def test_the_list_as_json(cli: Cli) -> None:
    told = json.loads(cli("plugins", "backend", "--json").out)
    (lacking,) = [each for each in told["components"] if each["name"] == "lacking"]
    assert lacking["missing"] == ["no-such-thing>=2"]
    assert told["problems"] == []


def test_what_weights_take_and_their_licence_stand_in_the_list(cli: Cli, folder: Path) -> None:
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
    told = json.loads(cli("-p", "heavy.py", "plugins", "backend", "--json").out)
    (heavy,) = [each for each in told["components"] if each["name"] == "heavy"]
    assert (heavy["memory"], heavy["licence"]) == ("14 GB", "MIT")
    shown = cli("-p", "heavy.py", "plugins", "show", "backend:heavy").out.splitlines()
    assert {"licence MIT", "memory 14 GB"} <= {" ".join(line.split()) for line in shown}


def test_names_in_conflict_are_marked(cli: Cli, folder: Path) -> None:
    (folder / "rival.py").write_text(
        "from anyanomaly import BackendSpec, hookimpl\n"
        "@hookimpl\n"
        "def anyanomaly_register_backends():\n"
        "    return [BackendSpec(name='red', summary='Another red', target='rival:Red')]\n"
    )
    listed = cli("-p", "rival.py", "plugins", "backend").out
    assert listed.count("(in conflict: two plugins offer this name)") == 2
    used = cli("-p", "rival.py", "run", "street.scene", "-t", "red", "--backend", "red")
    assert used.code == 2
    assert "both offer the backend 'red'" in used.error


def test_a_component_described_with_its_flags(cli: Cli) -> None:
    shown = cli("plugins", "show", "backend:red").out
    assert shown.startswith("backend red: Sees red\n")
    assert "--backend.level NUMBER\n      multiply scores by this [default: 1.0]" in shown
    assert "--context.key.weight NUMBER" in cli("plugins", "show", "context:key").out
    assert "It has no options." in cli("plugins", "show", "reader:scene").out


def test_a_component_as_json_holds_the_schema_of_its_options(cli: Cli) -> None:
    told = json.loads(cli("plugins", "show", "backend:red", "--json").out)
    assert told["options_schema"]["properties"]["level"]["default"] == 1.0


@pytest.mark.parametrize("name", ["red", "bakend:red", "backend:rde"])
def test_a_component_that_does_not_exist(cli: Cli, name: str) -> None:
    result = cli("plugins", "show", name)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1


def test_commands_of_plugins_are_mounted(cli: Cli) -> None:
    assert "Greet somebody." in cli("--help").out
    assert cli("hello", "Bo").out == "hello Bo\n"


def test_a_command_with_a_name_of_ours_is_refused(cli: Cli, folder: Path) -> None:
    (folder / "thief.py").write_text(
        "from anyanomaly import hookimpl\n"
        "@hookimpl\n"
        "def anyanomaly_register_commands(app):\n"
        "    @app.command()\n"
        "    def run(): print('stolen')\n"
    )
    assert "Find events in videos." in cli("-p", "thief.py", "--help").out
    assert "stolen" not in cli("-p", "thief.py", "run", "--help").out


def test_check_runs_the_contract_with_the_options_given(folder: Path) -> None:
    def check(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "anyanomaly", "-p", PLUGIN, "plugins", "check", *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    kept = check("encoder:colour")
    assert kept.returncode == 0, kept.stdout
    assert "passed" in kept.stdout
    broken = check("backend:red", "--backend.fail", "bug")
    assert broken.returncode == 2
    assert broken.stderr.splitlines()[-1] == "anyanomaly: Backend 'red' does not keep its contract; see above."
    assert "cannot be 'odd'" in check("backend:red", "--backend.mode", "odd").stderr
