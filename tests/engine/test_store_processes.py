"""The answer store under kill -9, and in several processes at once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anyanomaly.engine.store_upkeep import StoreLimits, prune
from tests.engine.slow_run import BATCH_SIZE, N_QUERIES

ROOT = Path(__file__).resolve().parents[2]
N_KILLS = 3


def start(backend: str, folder: Path) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.engine.slow_run", backend, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")


def asked(folder: Path) -> list[str]:
    log = folder / "asked"
    return log.read_text().split() if log.exists() else []


@pytest.mark.parametrize(("backend", "n_lost"), [("batches", BATCH_SIZE), ("single", 1)])
def test_a_run_that_is_killed_loses_what_the_engine_was_answering_and_nothing_else(
    tmp_path: Path, backend: str, n_lost: int
) -> None:
    finish(start(backend, tmp_path / "reference"))
    folder, moments = tmp_path / "killed", random.Random(backend)
    n_kills = 0
    while n_kills < N_KILLS:
        n_before = len(asked(folder))
        process = start(backend, folder)
        n_at_kill = n_before + moments.randint(1, N_QUERIES // N_KILLS)
        while process.poll() is None and len(asked(folder)) < n_at_kill:
            time.sleep(0.0005)
        time.sleep(moments.random() * 0.004)
        process.kill()
        process.communicate()
        n_kills += 1
    finish(start(backend, folder))
    assert (folder / "results").read_bytes() == (tmp_path / "reference" / "results").read_bytes()
    numbers = asked(folder)
    assert len(numbers) > N_QUERIES  # some were killed while the engine answered them
    assert len(set(numbers)) == N_QUERIES
    assert len(numbers) <= N_QUERIES + N_KILLS * n_lost


def test_several_processes_share_a_store_while_it_is_pruned(tmp_path: Path) -> None:
    finish(start("single", tmp_path / "reference"))
    folder = tmp_path / "shared"
    processes = [start("single", folder) for _ in range(3)]
    while any(process.poll() is None for process in processes):
        prune(folder / "answers.sqlite", StoreLimits(max_bytes=0))
        time.sleep(0.01)
    for process in processes:
        finish(process)
    assert (folder / "results").read_bytes() == (tmp_path / "reference" / "results").read_bytes()
