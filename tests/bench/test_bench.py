"""A bench over real processes: past failures, and on from where it stopped."""

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
from tests.bench.made import PLUGINS, made, result

Started = Callable[[], Bench]


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Started:
    """Return a bench over the made recipe, each time from the start of a program."""
    monkeypatch.setenv("ANYANOMALY_CACHE_DIR", str(tmp_path / "cache"))

    def start() -> Bench:
        places = {"scenes": {"root": str(tmp_path)}}
        recipe, cells = made(tmp_path)
        return Bench(recipe, cells, Ledger(tmp_path / "out"), places, PLUGINS)

    return start


def test_it_goes_on_past_a_failing_cell_and_from_where_it_stopped(started: Started) -> None:
    first = started()
    steps = first.run()
    assert next(step for step in steps if step.what == "done").cell.number == 0
    steps.close()  # type: ignore[attr-defined]  # the program ends here
    second = started()
    told = [(step.cell.number, step.what) for step in second.run() if step.what != "share"]
    assert told == [(0, "kept"), (1, "done"), (2, "failed"), (3, "failed")]
    assert second.results[0] == {**first.results[0], "key": second.cells[0].key, "label": second.cells[0].label}
    assert second.failures[2].reason == "RuntimeError: a bug"
    assert second.results[1]["protocols"]["fixed"]["mean"]["auc"] == 1.0
    assert second.results[1]["speed"]["paper_fps"] > 0
    assert second.results[1]["speed"]["peak_mib"] is None or second.results[1]["speed"]["peak_mib"] > 10
    assert second.results[1]["groups"]["action"]["fixed"]["auc"] == 1.0


def test_a_process_that_dies_costs_its_cell_and_leaves_nothing(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = tmp_path / "dying"
    dying.write_text("#!/bin/sh\nsleep 300 &\necho $! >> children\necho out of luck >&2\nkill -9 $$\n")
    dying.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.executable", str(dying))
    bench = started()
    assert [step.what for step in bench.run()] == ["failed"] * 4
    reason = bench.failures[0].reason
    assert "it was killed, perhaps for want of memory; its last words: out of luck" in reason
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


def test_a_full_disk_is_told_and_what_is_finished_stays(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = started()
    bench.ledger.put(bench.cells[0], result(0.5, 1.0))

    def full(self: SafeFile) -> None:
        raise OutputError("Cannot write it: No space left on device.") from OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(SafeFile, "check", full)
    with pytest.raises(OutputError, match="No space left"):
        list(bench.run())
    monkeypatch.undo()
    assert bench.ledger.get(bench.cells[0]) is not None


def test_a_result_of_another_configuration_or_a_broken_one_is_not_taken(started: Started) -> None:
    bench = started()
    first, second, *_ = bench.cells
    bench.ledger.put(first, result(0.5, 1.0))
    assert bench.ledger.get(first)
    path = bench.ledger.folder / "cells" / f"{first.file}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "key": second.key}))
    assert bench.ledger.get(first) is None
    path.write_text("{")
    assert bench.ledger.get(first) is None
