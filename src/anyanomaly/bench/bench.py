"""Run the cells of a recipe that have no result yet; a cell that fails does not stop the others."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from anyanomaly import interrupts
from anyanomaly.bench.cell_result import CellResult
from anyanomaly.bench.cells import Cell, DatasetFolders
from anyanomaly.bench.ledger import Ledger
from anyanomaly.bench.recipe import Recipe
from anyanomaly.errors import BackendError, OutputError
from anyanomaly.isolation import child_environment, python_command
from anyanomaly.processes import descendants, end_processes

TERMINATION_TIMEOUT_S = 10.0
"""Seconds that a worker and its processes get to end in order, before they are killed."""
INTERRUPT_TIMEOUT_S = 1.5
"""The same when the user has asked the command to end."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a cell has no result."""

    reason: str
    code: int  # the exit code of its kind of error


@dataclass(frozen=True, slots=True)
class Step:
    """Progress of one cell."""

    cell: Cell
    state: Literal["stored", "running", "finished", "failed"]  # stored: finished in an earlier run
    fraction: float = 0.0  # of the cell, from 0 to 1


@dataclass(slots=True)
class Bench:
    """The cells of a recipe; ``run`` fills ``results`` and ``failures``, by cell number."""

    recipe: Recipe
    cells: Sequence[Cell]
    ledger: Ledger
    folders: DatasetFolders = field(default_factory=dict)
    plugins: Sequence[str] = ()
    results: dict[int, CellResult] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)

    def run(self) -> Iterator[Step]:
        """Run the cells without a result; each result is on disk before its step is yielded.

        :raises OutputError: when a result cannot be written; a rerun continues after the finished cells.
        """
        self.ledger.check()
        unfinished: dict[str, list[Cell]] = {}  # by models, so that each model is loaded once
        for cell in self.cells:
            if result := self.ledger.get(cell):
                self.results[cell.number] = result
                yield Step(cell, "stored")
            else:
                unfinished.setdefault(cell.model_key, []).append(cell)
        for cells in unfinished.values():
            while cells:
                yield from self._run_in_one_process(cells)
                cells = [cell for cell in cells if cell.number not in {*self.results, *self.failures}]

    def _run_in_one_process(self, cells: Sequence[Cell]) -> Generator[Step, None, None]:
        """Run cells in one process until all are finished, one fails, or the process ends."""
        by_number = {cell.number: cell for cell in cells}
        current = cells[0]
        log = self.ledger.log(current)
        with contextlib.closing(self._messages(cells, log)) as messages:
            for message in messages:
                if "exit_code" in message:
                    break
                if "stop" in message:
                    raise OutputError(
                        f"{message['stop']} Finished cells are kept in {self.ledger.folder}; run the command again."
                    )
                current = by_number[message["cell"]]
                if "result" in message:
                    result = CellResult.from_json(message["result"])
                    self.ledger.put(current, result)
                    self.results[current.number] = result
                    yield Step(current, "finished", 1.0)
                elif "failed" in message:
                    self.failures[current.number] = Failure(message["failed"], message["code"])
                    yield Step(current, "failed")
                    return
                else:
                    yield Step(current, "running", message["fraction"])
        if not all(cell.number in self.results for cell in cells):
            reason = _describe_exit(log, message["exit_code"])
            self.failures[current.number] = Failure(reason, BackendError.exit_code)
            yield Step(current, "failed")

    def _messages(self, cells: Sequence[Cell], log: Path) -> Generator[dict[str, Any], None, None]:
        """Start a process for some cells and yield its messages, then its exit code; its output goes to ``log``."""
        job = {
            "recipe": self.recipe.model_dump(mode="json"),
            "folders": self.folders,
            "plugins": list(self.plugins),
            "cells": [cell.number for cell in cells],
            "pages": {cell.number: str(self.ledger.page(cell)) for cell in cells if find_spec("bokeh")},
        }
        read_end, write_end = os.pipe()
        with log.open("wb", buffering=0) as output, os.fdopen(read_end, "rb", buffering=0):
            process = subprocess.Popen(
                python_command("-m", "anyanomaly.bench.worker", str(write_end)),
                env=child_environment(),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(write_end,),
                start_new_session=True,  # Ctrl-C reaches only this process, which then ends the worker
            )
            os.close(write_end)
            try:
                assert process.stdin is not None  # a pipe; it stays open, so that the worker ends when this one does
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(json.dumps(job).encode() + b"\n")
                    process.stdin.flush()
                for line in _read_lines(read_end, process):
                    yield json.loads(line)
                yield {"exit_code": process.wait()}
            finally:
                _terminate(process)


def _read_lines(pipe: int, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield lines until the pipe is closed, or the process has ended: its children may keep the pipe open."""
    unfinished = b""
    while True:
        if select.select([pipe], [], [], 1.0)[0]:
            part = os.read(pipe, 1 << 16)
            *lines, unfinished = (unfinished + part).split(b"\n")
            yield from lines
            if not part:
                return
        elif process.poll() is not None:
            return


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """End a process and all its descendants, also those that left its group, and those that it left behind in it."""
    with interrupts.Deferred():
        pids = [process.pid, *descendants(process.pid)] if process.poll() is None else []
        end_processes(pids, INTERRUPT_TIMEOUT_S if interrupts.received() else TERMINATION_TIMEOUT_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def _describe_exit(log: Path, code: int) -> str:
    """Describe the exit of a process that sent no message about it, with the last line of its log."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").split("\n") if line.strip()]
    causes = {-9: "killed (possibly out of memory)", -11: "crashed (segmentation fault)"}
    last_line = f"; last log line: {lines[-1].strip()[:200]}" if lines else ""
    return f"Its process ended: {causes.get(code, f'exit code {code}')}{last_line}. Full log: {log}"
