"""Nothing that a user gets depends on the order of sets: every command under two hash seeds, byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.cli.conftest import PLUGIN

COMMANDS = [
    ["plugins", "--json"],
    ["plugins", "show", "backend:red", "--json"],
    ["run", "--help"],
    ["config", "init", "settings.toml"],
    ["config", "show", "street.scene", "-t", "red", "--backend", "red", "--encoder", "colour"],
    [
        "run",
        "street.scene",
        "night.scene",
        "-t",
        "red",
        "-t",
        "a bicycle",
        "-o",
        "run.jsonl",
        "-o",
        "run.csv",
        "--json",
    ],
    ["report", "run.jsonl", "-o", "report.jsonl.gz", "-o", "report.parquet", "-o", "report.csv", "--json"],
    ["run", "street.scene", "-t", "red", "--backend", "rde"],
    ["show", "street.scene", "-t", "red", "--segment", "1", "-d", "page"],
    ["eval", "folder", "--root", ".", "--check", "-o", "check.json"],
    ["eval", "folder", "--root", ".", "--protocol", "fixed", "-o", "scores.jsonl", "-o", "result.json"],
    ["eval", "folder", "--root", ".", "--protocol", "fixed", "--scores", "scores.jsonl"],
]
RUN_ALL = """
import contextlib, io, json, sys
from anyanomaly.cli import main
for command in json.loads(sys.argv[2]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["-p", sys.argv[1], *command])
    print(json.dumps([command, code, out.getvalue(), err.getvalue()]))
"""
SETTINGS = """
encoder = "colour"
[backend]
name = "red"
names = ["b", "a"]
[run]
segment_frames = 8
"""
MANIFEST = [
    {"video": "street.scene", "text": "red", "labels": [[8, 16]], "unit": "frames"},
    {"video": "street.scene", "text": "a fall", "labels": [[1.0, 2.0]], "unit": "seconds"},
    {"video": "night.scene", "text": "red", "labels": [[0.2, 0.4]], "unit": "share"},
    {"video": "night.scene", "text": "a fall", "labels": [[8, 16]]},
]


def _run_all(folder: Path, seed: str) -> tuple[str, Mapping[str, bytes]]:
    """Run all commands in one process and return what they print, and the files that they write."""
    work = folder / seed / "work"
    work.mkdir(parents=True)
    for name in ("street.scene", "night.scene"):
        (work / name).write_text("40")
    (work / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "settings.toml").write_text(SETTINGS)
    own = {"PYTHONHASHSEED": seed, "ANYANOMALY_CONFIG": str(folder / "settings.toml"), "COLUMNS": "110"}
    folders = {"ANYANOMALY_CACHE_DIR": str(work / "cache"), "XDG_CONFIG_HOME": str(work / "config")}
    process = subprocess.run(
        [sys.executable, "-c", RUN_ALL, PLUGIN, json.dumps(COMMANDS)],
        cwd=work,
        env={**os.environ, **own, **folders},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    files = {
        path.relative_to(work).as_posix(): path.read_bytes()
        for path in sorted(work.rglob("*"))
        if path.is_file() and "cache" not in path.parts
    }
    return process.stdout.replace(str(work), "WORK"), files


def test_every_command_gives_the_same_bytes_under_two_hash_seeds(tmp_path: Path) -> None:
    (first_output, first_files), (second_output, second_files) = (_run_all(tmp_path, seed) for seed in ("1", "3"))
    for command, code, _, message in map(json.loads, first_output.splitlines()):
        assert code == (2 if "rde" in command else 0), f"{command}: {message}"
    assert {"run.jsonl", "run.csv", "result.json", "check.json", "settings.toml", "page/index.html"} <= set(first_files)
    for first, second in zip(first_output.splitlines(), second_output.splitlines(), strict=True):
        assert first == second
    assert {name for name in first_files if first_files[name] != second_files.get(name)} <= {"result.json"}
    first_result, second_result = (json.loads(files["result.json"]) for files in (first_files, second_files))
    assert {**first_result, "seconds": 0} == {**second_result, "seconds": 0}  # the time that it took differs
