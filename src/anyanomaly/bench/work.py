"""Cells run in a process of their own, so that one that crashes takes nothing with it and frees what it held.

Reads a job from standard input and reports, a JSON line each, to the file descriptor that it is given. Cells of one job
share their models: a backend is loaded once.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anyanomaly.api.component import Component
from anyanomaly.api.options import Options
from anyanomaly.bench.cells import Cell, make_cells
from anyanomaly.bench.recipe import Recipe
from anyanomaly.bench.speed import Lengths, measure_speed
from anyanomaly.errors import AnyAnomalyError, BackendError, OutputError
from anyanomaly.evaluation.dataset_run import DatasetRun, load_survey
from anyanomaly.evaluation.measurement import measure
from anyanomaly.registry import Registry
from anyanomaly.specs import ComponentSpec
from anyanomaly.types import SegmentScore

EVERY_S = 0.5
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Tell = Callable[[Mapping[str, Any]], None]


class KeepingRegistry(Registry):
    """Gives out the same backend and the same encoder again; they are loaded at first use and stay until the end."""

    def __init__(self, plugins: Sequence[str]) -> None:
        super().__init__(plugins)
        self._kept: dict[str, Component[Options]] = {}
        self._close: list[Callable[[], None]] = []
        self.load_s: dict[str, float] = {}  # by role and name

    def create(self, spec: ComponentSpec, options: Options | Mapping[str, Any]) -> Component[Options]:
        """Create a component, or give out the one that there is."""
        if spec.role not in ("backend", "encoder"):
            return super().create(spec, options)
        key = json.dumps([spec.role, spec.name, options], sort_keys=True, default=repr)
        if key not in self._kept:
            self._kept[key] = self._keep(super().create(spec, options), f"{spec.role} {spec.name}")
        return self._kept[key]

    def _keep(self, component: Component[Options], name: str) -> Component[Options]:
        load, loaded = component.load, False

        def load_once() -> None:
            nonlocal loaded
            if not loaded:
                began = time.perf_counter()
                load()
                loaded = True
                self.load_s[name] = time.perf_counter() - began

        self._close.append(component.close)
        component.load = load_once  # type: ignore[method-assign]
        component.close = lambda: None  # type: ignore[method-assign]  # until our own `close`
        return component

    def close(self) -> None:
        """Free the components."""
        for close in self._close:
            close()


def run_cell(cell: Cell, recipe: Recipe, registry: KeepingRegistry, tell: Tell) -> dict[str, Any]:
    """Run one cell: its speed, then its scores, and what they are worth.

    :raises AnyAnomalyError: when it cannot be measured.
    """
    survey = load_survey(cell.data, registry)
    running = DatasetRun(cell.config, registry, survey.videos, cell.data.classes)
    speed = _speed(cell, running, recipe, registry)  # before answers could be found in the engine's own caches
    told = time.monotonic()
    n_done = 0
    for outcome in running.run():
        if isinstance(outcome, SegmentScore):
            n_done += outcome.stop - outcome.start
            if time.monotonic() - told > EVERY_S:
                told = time.monotonic()
                tell({"cell": cell.number, "share": n_done / (running.n_frames or n_done)})
    running.check_readable()
    scored_run, groups = running.scored_run, cell.dataset.groups
    result = measure(scored_run, survey, cell.data, registry, protocols=recipe.protocols, groups=groups).to_json()
    return {**result, "groups": result.get("groups", {}), "speed": speed, "load_s": registry.load_s}


def _speed(cell: Cell, running: DatasetRun, recipe: Recipe, registry: Registry) -> dict[str, Any] | None:
    if recipe.speed is None:
        return None
    config = running.pipeline.config
    plan = recipe.speed
    config = config.model_copy(update={"texts": config.texts[: cell.ablation.speed_texts or plan.texts], "sink": ()})
    return measure_speed(config, registry, Lengths(plan.segments, plan.warmup, plan.latency))


def run_job(job: Mapping[str, Any], tell: Tell) -> None:
    """Run the cells of a job in turn, until one fails: what it left behind is not to be trusted."""
    with contextlib.closing(KeepingRegistry(job["plugins"])) as registry:
        _run_job(job, registry, tell)


def _run_job(job: Mapping[str, Any], registry: KeepingRegistry, tell: Tell) -> None:
    recipe = Recipe.model_validate(job["recipe"])
    cells = {cell.number: cell for cell in make_cells(recipe, job["places"], registry)}
    for number in job["cells"]:
        tell({"cell": number, "share": 0.0})
        try:
            result = run_cell(cells[number], recipe, registry, tell)
        except OutputError as error:
            tell({"stop": str(error)})
            return
        except AnyAnomalyError as error:
            tell({"cell": number, "failed": str(error), "code": error.exit_code})
            return
        except Exception as error:
            if isinstance(error, OSError) and error.errno in FULL:
                tell({"stop": f"The disk is full: {error.strerror} ({error.filename})."})
                return
            with contextlib.suppress(OSError):  # its log may be on a full disk
                traceback.print_exc()
            first = next(iter(str(error).strip().splitlines()), "")
            said = f"{type(error).__name__}: {first}"
            tell({"cell": number, "failed": said, "code": BackendError.exit_code})
            return
        tell({"cell": number, "result": result})


def main() -> None:
    """Run the job on standard input."""
    logging.basicConfig(format="anyanomaly: %(message)s", level=logging.WARNING, stream=sys.stderr)
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)  # an engine's own processes must not hold it open
    with os.fdopen(descriptor, "w", encoding="utf-8") as pipe:

        def tell(message: Mapping[str, Any]) -> None:
            print(json.dumps(message), file=pipe, flush=True)

        run_job(json.load(sys.stdin), tell)


if __name__ == "__main__":
    main()
