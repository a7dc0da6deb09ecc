"""Processes of the engine end when the process that started them is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from anyanomaly_vllm.options import VllmOptions

WITHOUT_ENGINE = """
import multiprocessing
import os
import sys
import time
from anyanomaly_vllm.spawned import ending_with_parent

def sleep():
    print("running", flush=True)
    time.sleep(600)

def start(target):
    multiprocessing.get_context("spawn").Process(target=target).start()

def start_as_vllm_starts_its_worker():
    start(sleep)

if __name__ == "__main__":
    sys.path.append(os.path.dirname(__file__))
    import script
    with ending_with_parent():
        start(script.start_as_vllm_starts_its_worker)
"""
WITH_ENGINE = """
import logging
import sys
import tempfile
import time
from anyanomaly_vllm.engine import Engine
from anyanomaly_vllm.loading import inspect_model
from anyanomaly_vllm.options import VllmOptions

logging.getLogger().setLevel(logging.INFO)  # the engine keeps the standard output
with tempfile.TemporaryFile() as log:
    arguments = inspect_model(VllmOptions.model_validate_json(sys.argv[1]), log).arguments
    engine = Engine({**arguments, "max_model_len": 256}, log)
    print("running", flush=True)
    time.sleep(600)
"""


def kill_when_it_runs(folder: Path, script: str, *arguments: str) -> None:
    """Kill a script after it printed ``running``, and wait until all its processes have closed its output."""
    path = folder / "script.py"
    path.write_text(script)
    with (folder / "errors").open("wb") as errors:
        command = [sys.executable, path, *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    assert "running\n" in process.stdout, (folder / "errors").read_text()
    process.kill()
    process.communicate(timeout=60)


def test_a_process_and_its_own_process_end_with_a_killed_parent(tmp_path: Path) -> None:
    kill_when_it_runs(tmp_path, WITHOUT_ENGINE)


@pytest.mark.engine
def test_an_engine_ends_with_a_killed_parent(tmp_path: Path, options: VllmOptions) -> None:
    kill_when_it_runs(tmp_path, WITH_ENGINE, options.model_dump_json())
