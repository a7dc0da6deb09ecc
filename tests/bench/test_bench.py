"""A bench in real processes: failures of cells, and continuing after an interruption."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from anyanomaly.api.safe_file import SafeFile
from anyanomaly.bench.bench import Bench
from anyanomaly.bench.ledger import Ledger
from anyanomaly.errors import OutputError
from tests.bench.examples import PLUGINS, cell_result, recipe_and_cells

StartBench = Callable[[], Bench]


@pytest.fixture
def start_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StartBench:
    """Return a function that makes a bench of the example recipe, as a new program would."""
    monkeypatch.setenv("ANYANOMALY_CACHE_DIR", str(tmp_path / "cache"))

    def start() -> Bench:
        folders = {"scenes": {"root": str(tmp_path)}}
        recipe, cells = recipe_and_cells(tmp_path)
        return Bench(recipe, cells, Ledger(tmp_path / "out"), folders, PLUGINS)

    return start


def test_it_runs_on_after_a_failing_cell_and_continues_where_it_stopped(start_bench: StartBench) -> None:
    first = start_bench()
    steps = first.run()
    assert next(step for step in steps if step.state == "finished").cell.number == 0
    steps.close()  # type: ignore[attr-defined]  # the program ends here
    second = start_bench()
    states = [(step.cell.number, step.state) for step in second.run() if step.state != "running"]
    assert states == [(0, "stored"), (1, "finished"), (2, "failed"), (3, "failed")]
    assert second.results[0] == first.results[0]
    assert second.failures[2].reason.startswith(
        "Backend 'red' of fake_plugin failed in answer_batch: RuntimeError: a bug ("
    )
    evaluation, speed = second.results[1].evaluation, second.results[1].speed
    mean = evaluation.protocols["fixed"].mean
    assert mean is not None
    assert mean.auc == 1.0
    assert evaluation.groups["action"]["fixed"].auc == 1.0
    assert speed is not None
    assert speed.throughput.paper_fps > 0
    assert speed.peak_mib is None or speed.peak_mib > 10


def test_a_process_that_dies_costs_one_cell_and_leaves_no_child_behind(
    start_bench: StartBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = tmp_path / "dying"
    dying.write_text("#!/bin/sh\nsleep 300 &\necho $! >> children\necho out of luck >&2\nkill -9 $$\n")
    dying.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.executable", str(dying))
    bench = start_bench()
    assert [step.state for step in bench.run()] == ["failed"] * 4
    reason = bench.failures[0].reason
    assert "killed (possibly out of memory); last log line: out of luck" in reason
    children = (tmp_path / "children").read_text().split()  # they held the pipe open
    until = time.monotonic() + 10
    while any(map(_runs, children)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in children if _runs(pid)]


def _runs(pid: str) -> bool:
    try:
        return "sleep" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def test_a_full_disk_is_reported_and_finished_cells_stay(
    start_bench: StartBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = start_bench()
    bench.ledger.put(bench.cells[0], cell_result(0.5, 1.0))

    def full(self: SafeFile) -> None:
        raise OutputError("Cannot write it: No space left on device.") from OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(SafeFile, "check", full)
    with pytest.raises(OutputError, match="No space left"):
        list(bench.run())
    monkeypatch.undo()
    assert bench.ledger.get(bench.cells[0]) is not None


def test_a_result_of_another_configuration_or_version_or_a_broken_one_is_ignored(start_bench: StartBench) -> None:
    bench = start_bench()
    first, second, *_ = bench.cells
    bench.ledger.put(first, cell_result(0.5, 1.0))
    assert bench.ledger.get(first) == cell_result(0.5, 1.0)
    path = bench.ledger.folder / "cells" / f"{first.file_stem}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "key": second.key}))
    assert bench.ledger.get(first) is None
    bench.ledger.put(first, cell_result(0.5, 1.0))
    content = json.loads(path.read_text())
    del content["protocols"]["fixed"]["mean"]["null_auc"]  # the key of an earlier version was another one
    path.write_text(json.dumps(content))
    assert bench.ledger.get(first) is None
    path.write_text("{")
    assert bench.ledger.get(first) is None
