"""The architecture, held: layers, sizes, names, errors, and nothing that ties us to one machine or release."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import anyanomaly
from anyanomaly import errors

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path for folder in ("src", "plugins") for path in (ROOT / folder).rglob("*.py") if ".venv" not in path.parts
)


def test_layers() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_stay_small() -> None:
    long = {str(path.relative_to(ROOT)): n for path in SOURCES if (n := len(path.read_text().splitlines())) > 300}
    assert not long


def test_public_names_are_sorted_and_resolve() -> None:
    assert sorted(anyanomaly.__all__) == anyanomaly.__all__
    for name in anyanomaly.__all__:
        assert getattr(anyanomaly, name) is not None
    with pytest.raises(AttributeError):
        anyanomaly.nothing  # noqa: B018


def test_every_public_class_and_function_of_the_api_is_documented() -> None:
    from anyanomaly import api

    for name in api.__all__:
        role = getattr(api, name)
        assert inspect.getdoc(role), name
        for method, member in vars(role).items():
            if not method.startswith("_") and callable(member):
                assert inspect.getdoc(member), f"{name}.{method}"


def test_errors_have_exit_codes_and_stand_in_the_tree() -> None:
    for name, error in vars(errors).items():
        if inspect.isclass(error) and issubclass(error, errors.AnyAnomalyError):
            assert error.exit_code in set(errors.EXIT_CODES) - {0, errors.EVENTS_FOUND}, name
            assert name in (errors.__doc__ or ""), f"{name} is not drawn in the error tree"


def test_typer_only_by_its_documented_names() -> None:
    for path in SOURCES:
        found = re.search(r"typer\._|import click|from click|TyperGroup", path.read_text())
        assert not found, f"{path}: {found}"


def test_plugins_and_builtins_keep_to_the_public_layers() -> None:
    allowed = {
        "api",
        "types",
        "evidence",
        "errors",
        "install",
        "core",
        "kit",
        "metrics",
        "results",
        "testing",
        "builtin",
    }
    allowed |= {"isolation", "masking", "outside_files", "outside_text", "rehearsal", "time_text"}
    for path in SOURCES:
        inside = path.relative_to(ROOT).parts
        if "tests" in inside or not (inside[0] == "plugins" or "builtin" in inside):
            continue
        for module in re.findall(r"^\s*(?:from|import) anyanomaly\.(\w+)", path.read_text(), re.MULTILINE):
            lawful = allowed | ({"hookspecs", "specs"} if inside[-2:] == ("builtin", "__init__.py") else set())
            assert module in lawful, f"{path}: anyanomaly.{module}"


def test_no_path_of_a_machine_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT)
    if listed.returncode:
        pytest.skip("not a git checkout")
    home = re.compile(r"(?<![\w.])/(?:home|root|work|Users)/\w+")
    for name in listed.stdout.split():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".txt", ".json", ".yml", ""} and path.is_file():
            found = home.search(path.read_text(encoding="utf-8", errors="ignore"))
            assert not found, f"{name}: {found}"
