"""Run cases in workers that have imported everything once, and collect what they found."""

from __future__ import annotations

import contextlib
import importlib
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.campaign.assets import make_assets
from tests.campaign.judge import Fault
from tests.campaign.process import adopt_orphans
from tests.campaign.stage import Stage

CLASSES = {
    "signals": 300,
    "store": 600,
    "media": 1000,
    "labels": 1200,
    "configs": 4000,
    "recipes": 400,
    "prompts": 400,
    "answers": 1500,
    "servers": 800,
    "plugins": 600,
    "texts": 1000,
    "long-run": 8,
    "kills": 100,
}
"""Cases per class of the whole campaign."""

SAMPLE = {name: max(1, count // 40) for name, count in CLASSES.items()}
"""Cases per class of the sample that `make test` runs, in about two minutes."""

_PRELOADED = (
    "anyanomaly.cli.app",
    "anyanomaly.assemble",
    "anyanomaly.evaluation",
    "anyanomaly.evaluation.evaluate",
    "anyanomaly.bench.bench",
    "av",
    "cv2",
    "h5py",
    "httpx",
    "sqlite3",
    "sklearn.metrics",
    "tests.campaign.plugin",
)


class Case(NamedTuple):
    """A class and a seed: all that a case is made from."""

    name: str
    seed: int


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of a case."""

    case: Case
    kind: str  # of its inputs
    faults: tuple[Fault, ...]
    wall_s: float
    peak_mib: float
    commands: tuple[str, ...]

    @property
    def reproduction(self) -> str:
        """The command that runs this case again."""
        return f"python -m tests.campaign {self.case.name} --seed {self.case.seed}"


def run_cases(cases: Sequence[Case], jobs: int, keep: bool = False) -> list[CaseResult]:
    """Run cases in ``jobs`` workers; print each that shows a fault; return the results in the order of ``cases``.

    :param keep: keep the folders of the cases, and print where they are.
    """
    _import_once()
    with contextlib.ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix="campaign-")
        if not keep:
            stack.enter_context(_removed(Path(folder)))
        else:
            print(f"folder: {folder}")
        assets = make_assets(Path(folder, "assets"))
        next_case = multiprocessing.get_context("fork").Value("i", 0)
        workers = []
        for number in range(min(jobs, len(cases))):
            worker = os.fork()
            if not worker:
                code = 1
                try:
                    _work(cases, next_case, Path(folder), assets, Path(folder, f"results-{number}"), keep)
                    code = 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    sys.stdout.flush()
                    os._exit(code)
            workers.append(worker)
        codes = [os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers]
        results = {
            result.case: result
            for path in Path(folder).glob("results-*")
            for line in path.read_text().splitlines()
            if (result := _from_json(line))
        }
        if any(codes):
            raise RuntimeError(f"a worker of the campaign ended with {codes}; {len(results)} of {len(cases)} cases ran")
        return [results[case] for case in cases]


def run_case(case: Case, folder: Path, assets: Path, keep: bool = False) -> CaseResult:
    """Run one case in this process, whose commands are forked from it."""
    module = importlib.import_module(f"tests.campaign.classes.{case.name.replace('-', '_')}")
    stage = Stage(folder / f"{case.name}-{case.seed}", case.name, case.seed, assets)
    start_s = time.monotonic()
    kind = "unknown"
    try:
        kind = module.play(stage)
    except Exception as error:  # for example, a result that a check reads is missing
        stage.fault(
            "wrong result", f"the check ended with {error!r}, {traceback.format_exc().splitlines()[-3].strip()}"
        )
    finally:
        if not keep:
            stage.remove()
    return CaseResult(
        case=case,
        kind=kind,
        faults=tuple(dict.fromkeys(stage.faults)),
        wall_s=time.monotonic() - start_s,
        peak_mib=max((outcome.peak_mib for outcome in stage.outcomes), default=0.0),
        commands=tuple(outcome.command for outcome in stage.outcomes),
    )


def _work(
    cases: Sequence[Case],
    next_case: multiprocessing.sharedctypes.Synchronized[int],
    folder: Path,
    assets: Path,
    target: Path,
    keep: bool,
) -> None:
    adopt_orphans()
    with open(target, "w", encoding="utf-8") as results:
        while True:
            with next_case.get_lock():
                number = next_case.value
                next_case.value += 1
            if number >= len(cases):
                return
            result = run_case(cases[number], folder, assets, keep)
            for fault in result.faults:
                print(f"{fault.kind}: {result.kind}: {fault.message}\n  {result.reproduction}", flush=True)
                if keep:
                    print("  " + "\n  ".join(result.commands), flush=True)
            print(_to_json(result), file=results, flush=True)


def _import_once() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for name in _PRELOADED:
        importlib.import_module(name)


@contextlib.contextmanager
def _removed(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _to_json(result: CaseResult) -> str:
    faults = [[fault.kind, fault.message] for fault in result.faults]
    fields = [*result.case, result.kind, faults, result.wall_s, result.peak_mib, result.commands]
    return json.dumps(fields)


def _from_json(line: str) -> CaseResult:
    name, seed, kind, faults, wall_s, peak_mib, commands = json.loads(line)
    found = tuple(Fault(fault_kind, message) for fault_kind, message in faults)
    return CaseResult(Case(name, seed), kind, found, wall_s, peak_mib, tuple(commands))
