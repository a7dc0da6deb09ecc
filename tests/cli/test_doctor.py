"""``anyanomaly doctor`` reports on the installation and ends with the next thing to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anyanomaly.cli import doctor
from anyanomaly.install import install_command
from tests.cli.conftest import Cli


@pytest.fixture(autouse=True)
def _no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not import torch in another process, which takes seconds."""
    monkeypatch.setattr(doctor, "DEVICES", 'print(\'[{"name": "cpu", "what": "2 threads"}]\')')


def test_the_report_as_json(cli: Cli) -> None:
    report = json.loads(cli("doctor", "--json").out)
    assert {"python", "platform", "anyanomaly"} <= set(report["versions"])
    assert report["devices"] == [{"name": "cpu", "what": "2 threads"}]
    assert report["caches"][0]["path"].endswith("answers.sqlite")
    backends = {component["name"]: component for component in report["components"]["backend"]}
    assert backends["red"]["installed"]
    assert backends["lacking"]["missing"] == ["no-such-thing>=2"]


def test_the_next_step_is_the_last_line(cli: Cli, folder: Path) -> None:
    config = folder / "anyanomaly.toml"
    config.write_text("[encoder]\nname = 'colour'\n[backend]\nname = 'red'\n")
    assert cli("doctor").out.splitlines()[-1].startswith("  Try: anyanomaly run VIDEO -t bicycle")
    config.write_text("[encoder]\nname = 'colour'\n[backend]\nname = 'lacking'\n")
    needed = f"  Backend 'lacking' needs no-such-thing>=2. Run: {install_command('it')}"
    assert cli("doctor").out.splitlines()[-1] == needed


def test_a_broken_config_file_does_not_stop_the_doctor(cli: Cli, folder: Path) -> None:
    (folder / "anyanomaly.toml").write_text("[run\n")
    result = cli("doctor")
    assert result.code == 0
    assert "Fix the configuration: The config file anyanomaly.toml is not valid TOML" in result.out.splitlines()[-1]


def test_an_engine_that_cannot_be_imported_is_a_problem(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DEVICES", "raise ImportError('libcudart.so is missing')")
    report = json.loads(cli("doctor", "--json").out)
    if "torch" not in report["libraries"]:
        pytest.skip("torch is not installed here")
    assert report["devices"] == []
    assert any("libcudart.so is missing" in problem for problem in report["problems"])
