"""Nothing that lies in the current folder runs: no module, plugin, program or shared library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from anyanomaly.isolation import child_environment, program_output, python_command

MODULES = ("json", "torch", "typing_extensions", "multiprocessing", "sitecustomize", "numpy", "pickle", "pydantic")
SPAWN = """
import sys
del sys.path[0]  # as in a program that is no -c
import multiprocessing
from anyanomaly.isolation import isolate_children
isolate_children()
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=print, args=("spawned",))
    process.start()
    process.join()
"""


@pytest.fixture
def hostile(folder: Path) -> Path:
    """Return the current folder, with modules, a plugin and a program that leave a file ``ran-NAME`` when they run."""
    for name in (*MODULES, "evil"):
        (folder / f"{name}.py").write_text(f"open({str(folder / f'ran-{name}')!r}, 'w')\n")
    (folder / "evil.dist-info").mkdir()
    (folder / "evil.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1\n")
    (folder / "evil.dist-info" / "entry_points.txt").write_text("[anyanomaly]\nevil = evil\n")
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\ntouch {folder / 'ran-program'}\n")
    (folder / "nvidia-smi").chmod(0o755)
    return folder


def test_the_folder_of_these_tests_is_hostile(hostile: Path) -> None:
    subprocess.run([sys.executable, "-c", "import evil"], check=True)
    subprocess.run("nvidia-smi", env={**os.environ, "PATH": f".:{os.environ['PATH']}"}, check=True)
    assert {path.name for path in hostile.glob("ran-*")} >= {"ran-evil", "ran-program"}


@pytest.mark.parametrize(
    "command",
    [
        [str(Path(sys.executable).with_name("anyanomaly")), "doctor"],
        [sys.executable, "-m", "anyanomaly", "plugins"],
        python_command("-m", "anyanomaly.bench.worker", "--help"),
        [sys.executable, "-c", SPAWN],
    ],
    ids=["doctor", "python -m", "worker", "a spawned process"],
)
def test_nothing_of_the_folder_runs(hostile: Path, command: list[str]) -> None:
    environment = {**os.environ, "PATH": f".{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(command, env=environment, capture_output=True)
    assert list(hostile.glob("ran-*")) == []


@pytest.mark.parametrize("entry", ["", ".", "bin/.."])
def test_programs_come_from_absolute_folders(hostile: Path, monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    (hostile / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{entry}{os.pathsep}{os.environ['PATH']}")
    program_output("nvidia-smi")
    assert list(hostile.glob("ran-*")) == []
    assert program_output("echo", "x") == "x\n"
    assert program_output("no-such-program") is None
    assert program_output("false") is None


@pytest.mark.parametrize("before", ["", ":", "lib:/opt/x/lib", None])
def test_no_shared_library_comes_from_the_folder_even_after_opencv(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    if before is not None:
        monkeypatch.setenv("LD_LIBRARY_PATH", before)
    script = "import cv2, os; print(os.environ['LD_LIBRARY_PATH'])"
    output = subprocess.run(
        python_command("-c", script), env=child_environment(), capture_output=True, text=True, check=True
    ).stdout
    entries = output.strip().split(os.pathsep)
    assert all(map(os.path.isabs, entries))
    assert ("/opt/x/lib" in entries) == ("/opt" in (before or ""))
