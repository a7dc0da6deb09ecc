"""Runs cells in a separate process, so that a crash costs one cell and all memory is freed at the end.

Reads a job from standard input, one line, and writes messages, one JSON object per line, to the file descriptor that
its first argument names. It ends when its standard input does, because then the process that wants the results is gone.
The cells of one job use the same models, which are loaded once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anyanomaly import interrupts
from anyanomaly.api.component import Component
from anyanomaly.api.options import Options
from anyanomaly.bench.cell_result import CellResult
from anyanomaly.bench.cells import Cell, make_cells
from anyanomaly.bench.recipe import Recipe
from anyanomaly.bench.speed import SegmentCounts, SpeedResult, measure_speed
from anyanomaly.config.model import ComponentChoice, RunConfig
from anyanomaly.errors import BUG, DISK_FULL, AnyAnomalyError, BackendError, OutputError, first_line
from anyanomaly.evaluation.dataset_run import DatasetRun, load_survey
from anyanomaly.evaluation.measurement import measure
from anyanomaly.isolation import isolate_children
from anyanomaly.registry import Registry
from anyanomaly.specs import ComponentSpec
from anyanomaly.types import SegmentScore

PROGRESS_INTERVAL_S = 0.5
PAGE_MB = 6.0
"""Size of the page of a cell: a bench has many cells, and the worst mistakes come first."""

SendMessage = Callable[[Mapping[str, Any]], None]


class SharingRegistry(Registry):
    """Creates each backend and encoder once; they are loaded at first use and stay loaded until `close`."""

    def __init__(self, plugins: Sequence[str]) -> None:
        super().__init__(plugins)
        self._components: dict[str, Component[Options]] = {}
        self._close_functions: list[Callable[[], None]] = []
        self.load_s: dict[str, float] = {}  # seconds to load, by role and name

    def create(self, spec: ComponentSpec, options: Options | Mapping[str, Any]) -> Component[Options]:
        """Return a component: the same backend or encoder for the same options."""
        if spec.role not in ("backend", "encoder"):
            return super().create(spec, options)
        key = json.dumps([spec.role, spec.name, options], sort_keys=True, default=repr)
        if key not in self._components:
            self._components[key] = self._share(super().create(spec, options), f"{spec.role} {spec.name}")
        return self._components[key]

    def _share(self, component: Component[Options], name: str) -> Component[Options]:
        load, is_loaded = component.load, False

        def load_once() -> None:
            nonlocal is_loaded
            if not is_loaded:
                start_s = time.perf_counter()
                load()
                is_loaded = True
                self.load_s[name] = time.perf_counter() - start_s

        self._close_functions.append(component.close)
        component.load = load_once  # type: ignore[method-assign]
        component.close = lambda: None  # type: ignore[method-assign]  # the registry closes it
        return component

    def close(self) -> None:
        """Close all backends and encoders."""
        for close in self._close_functions:
            close()


def run_cell(
    cell: Cell, recipe: Recipe, registry: SharingRegistry, send: SendMessage, page: str | None = None
) -> CellResult:
    """Measure the speed of one cell, then run and measure its scores.

    :param page: file for the report of the scored run, with its worst mistakes; None: none is written.
    :raises AnyAnomalyError: when it cannot be measured.
    """
    survey = load_survey(cell.selection, registry)
    sinks = () if page is None else (ComponentChoice(name="html", options={"path": page, "max_mb": PAGE_MB}),)
    config = cell.config.model_copy(update={"sink": sinks})
    dataset_run = DatasetRun(config, registry, survey.videos, cell.selection.classes)
    speed = _measure_speed(
        cell, dataset_run.pipeline.config, recipe, registry
    )  # first, while the engine's own caches are empty
    last_message_s = time.monotonic()
    n_scored = 0
    for outcome in dataset_run.run():
        if isinstance(outcome, SegmentScore):
            n_scored += outcome.stop - outcome.start
            if time.monotonic() - last_message_s > PROGRESS_INTERVAL_S:
                last_message_s = time.monotonic()
                send({"cell": cell.number, "fraction": n_scored / (dataset_run.n_frames or n_scored)})
    dataset_run.check_readable()
    evaluation = measure(
        dataset_run.scored_run,
        survey,
        cell.selection,
        registry,
        protocols=recipe.protocols,
        groups=cell.dataset.groups,
    )
    return CellResult(evaluation, speed, dict(registry.load_s))


def _measure_speed(cell: Cell, config: RunConfig, recipe: Recipe, registry: Registry) -> SpeedResult | None:
    plan = recipe.speed
    if plan is None:
        return None
    n_texts = cell.ablation.speed_texts or plan.texts
    config = config.model_copy(update={"texts": config.texts[:n_texts], "sink": ()})
    return measure_speed(config, registry, SegmentCounts(plan.segments, plan.warmup, plan.latency))


def run_job(job: Mapping[str, Any], send: SendMessage) -> None:
    """Run the cells of a job in turn, until one fails: an engine may be broken after an error."""
    with contextlib.closing(SharingRegistry(job["plugins"])) as registry:
        _run_job(job, registry, send)


def _run_job(job: Mapping[str, Any], registry: SharingRegistry, send: SendMessage) -> None:
    recipe = Recipe.model_validate(job["recipe"])
    cells = {cell.number: cell for cell in make_cells(recipe, job["folders"], registry)}
    for number in job["cells"]:
        send({"cell": number, "fraction": 0.0})
        try:
            result = run_cell(cells[number], recipe, registry, send, job["pages"].get(str(number)))
        except OutputError as error:
            send({"stop": str(error)})
            return
        except AnyAnomalyError as error:
            send({"cell": number, "failed": str(error), "code": error.exit_code})
            return
        except Exception as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                send({"stop": f"The disk is full: {error.strerror} ({error.filename})."})
                return
            with contextlib.suppress(OSError):  # the log may be on a full disk
                traceback.print_exc()
            reason = f"{type(error).__name__}: {first_line(error)}"
            code = BackendError.exit_code if isinstance(error, MemoryError) else BUG
            send({"cell": number, "failed": reason, "code": code})
            return
        send({"cell": number, "result": result.to_json()})


def main() -> None:
    """Run the job on standard input; SIGTERM ends it in order, so that its engines end too."""
    code = 0
    try:
        interrupts.install()
        isolate_children()
        _work()
        interrupts.end_command()
    except BaseException:
        if not interrupts.received():
            traceback.print_exc()
            code = BUG
    interrupts.leave(code)


def _work() -> None:
    logging.basicConfig(format="anyanomaly: %(message)s", level=logging.WARNING, stream=sys.stderr)
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)  # an engine's own processes must not hold it open
    with os.fdopen(descriptor, "w", encoding="utf-8") as pipe:

        def send(message: Mapping[str, Any]) -> None:
            print(json.dumps(message), file=pipe, flush=True)

        job = json.loads(sys.stdin.buffer.readline())
        threading.Thread(target=_end_with_input, daemon=True).start()
        run_job(job, send)


def _end_with_input() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
