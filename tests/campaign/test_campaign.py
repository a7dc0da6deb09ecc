"""A sample of the campaign, and a check of its judge by planted faults."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaign.classes.planted import SEEDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the campaign measures processes as Linux does")

ROOT = Path(__file__).parents[2]


def run_campaign(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.campaign", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_no_case_of_the_sample_shows_a_fault() -> None:
    """The same cases at each call, spread over all classes; ``make campaign`` runs all."""
    sample = run_campaign("all", "--sample")
    assert sample.returncode == 0, f"{sample.stdout}\n{sample.stderr}"


def test_the_judge_reports_a_fault_of_each_kind() -> None:
    planted = run_campaign("planted", "--count", str(SEEDS))
    assert planted.returncode == 1, planted.stderr
    reports = [line.split(": ")[:2] for line in planted.stdout.splitlines() if line.count(": ") >= 2]
    wanted = ["traceback", "hang", "exit code", "wrong result", "leak", "memory"]
    assert [kind for kind in wanted if [kind, kind] not in reports] == []
    clean = run_campaign("answers", "--count", "4")
    assert clean.returncode == 0, clean.stdout
