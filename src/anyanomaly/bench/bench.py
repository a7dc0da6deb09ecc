"""Run the cells of a recipe: those that are not finished, past those that fail."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from anyanomaly.bench.cells import Cell, Places
from anyanomaly.bench.ledger import Ledger
from anyanomaly.bench.recipe import Recipe
from anyanomaly.errors import BackendError, OutputError

PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a cell has no result."""

    reason: str
    code: int  # exit code of its kind of error


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to a cell."""

    cell: Cell
    what: Literal["kept", "share", "done", "failed"]  # kept: finished in an earlier run
    share: float = 0.0  # of the cell


@dataclass(slots=True)
class Bench:
    """A recipe's cells on their way. Iterate ``run``; ``results`` and ``failures`` follow along, by number."""

    recipe: Recipe
    cells: Sequence[Cell]
    ledger: Ledger
    places: Places = field(default_factory=dict)
    plugins: Sequence[str] = ()
    results: dict[int, dict[str, Any]] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)

    def run(self) -> Iterator[Step]:
        """Run what is not finished; each result is on disk before it is told.

        :raises OutputError: when a result cannot be written; what is finished stays, and a rerun goes on from there.
        """
        self.ledger.check()
        left: dict[str, list[Cell]] = {}  # by models, so that each is loaded once
        for cell in self.cells:
            if found := self.ledger.get(cell):
                self.results[cell.number] = found
                yield Step(cell, "kept")
            else:
                left.setdefault(cell.models, []).append(cell)
        for cells in left.values():
            while cells:
                yield from self._job(cells)
                cells = [cell for cell in cells if cell.number not in {*self.results, *self.failures}]

    def _job(self, cells: Sequence[Cell]) -> Generator[Step, None, None]:
        """Run cells in one process until they are done, or one of them ends it."""
        by_number = {cell.number: cell for cell in cells}
        at = cells[0]
        log = self.ledger.log(at)
        with contextlib.closing(self._messages(cells, log)) as messages:
            for message in messages:
                if "ended" in message:
                    break
                if "stop" in message:
                    raise OutputError(
                        f"{message['stop']} Finished cells are kept in {self.ledger.folder}; run it again."
                    )
                at = by_number[message["cell"]]
                if "result" in message:
                    self.ledger.put(at, message["result"])
                    self.results[at.number] = message["result"]
                    yield Step(at, "done", 1.0)
                elif "failed" in message:
                    self.failures[at.number] = Failure(message["failed"], message["code"])
                    yield Step(at, "failed")
                    return
                else:
                    yield Step(at, "share", message["share"])
        if not all(cell.number in self.results for cell in cells):
            self.failures[at.number] = Failure(_ended(log, message["ended"]), BackendError.exit_code)
            yield Step(at, "failed")

    def _messages(self, cells: Sequence[Cell], log: Path) -> Generator[dict[str, Any], None, None]:
        """Start a process for some cells and yield what it reports, at last its exit code; its words go to ``log``."""
        job = {
            "recipe": self.recipe.model_dump(mode="json"),
            "places": self.places,
            "plugins": list(self.plugins),
            "cells": [cell.number for cell in cells],
        }
        reading, writing = os.pipe()
        with log.open("wb", buffering=0) as words, os.fdopen(reading, "rb", buffering=0):
            process = subprocess.Popen(
                [sys.executable, "-m", "anyanomaly.bench.work", str(writing)],
                stdin=subprocess.PIPE,
                stdout=words,
                stderr=words,
                pass_fds=(writing,),
                start_new_session=True,  # an interruption comes to us, and we end it with all that it started
            )
            os.close(writing)
            try:
                assert process.stdin is not None  # a pipe, as asked
                with contextlib.suppress(BrokenPipeError), process.stdin:
                    process.stdin.write(json.dumps(job).encode())
                for line in _lines(reading, process):
                    yield json.loads(line)
                yield {"ended": process.wait()}
            finally:
                _end(process)


def _lines(pipe: int, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield what comes until the pipe is closed, or the process is gone: what it started may hold the pipe open."""
    held = b""
    while True:
        if select.select([pipe], [], [], 1.0)[0]:
            part = os.read(pipe, 1 << 16)
            *lines, held = (held + part).split(b"\n")
            yield from lines
            if not part:
                return
        elif process.poll() is not None:
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)


def _ended(log: Path, code: int) -> str:
    """Say how a process ended that reported nothing: by its own last words."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    how = {-9: "it was killed, perhaps for want of memory", -11: "it crashed (segmentation fault)"}
    said = f"; its last words: {lines[-1].strip()[:200]}" if lines else ""
    return f"Its process ended: {how.get(code, f'exit code {code}')}{said}. All of them: {log}"
