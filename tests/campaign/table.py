"""The table of a campaign: what was tried per class, and what went wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from tests.campaign.campaign import CaseResult
from tests.campaign.judge import FaultKind

_BEGIN, _END = "<!-- campaign: begin -->", "<!-- campaign: end -->"
_FAULTS = {
    "traceback": "tracebacks",
    "hang": "hangs",
    "exit code": "wrong exit codes",
    "wrong result": "silent wrong results",
    "leak": "leaks",
    "memory": "above 2 GiB",
}
assert set(_FAULTS) == set(get_args(FaultKind))


def describe(results: Sequence[CaseResult]) -> str:
    """Return the table in Markdown: a row per class and a row of sums; faults are counted once per case and kind."""
    names = list(dict.fromkeys(result.case.name for result in results))
    rows = [_row(name, [result for result in results if result.case.name == name]) for name in names]
    if len(names) > 1:
        rows.append(_row("**all**", results))
    head = ["class", "cases", "kinds", *_FAULTS.values(), "peak, MiB", "longest, s", "time, min", "seeds"]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def _row(name: str, results: Sequence[CaseResult]) -> list[str]:
    faults = {kind: sum(any(fault.kind == kind for fault in result.faults) for result in results) for kind in _FAULTS}
    seeds = [result.case.seed for result in results]
    return [
        name,
        f"{len(results):,}",
        str(len({(result.case.name, result.kind) for result in results})),
        *map(str, faults.values()),
        f"{max(result.peak_mib for result in results):.0f}",
        f"{max(result.wall_s for result in results):.0f}",
        f"{sum(result.wall_s for result in results) / 60:.1f}",
        f"{min(seeds)} to {max(seeds)}",
    ]


def write_table(page: Path, results: Sequence[CaseResult]) -> None:
    """Write the table between the marks of a page, with the commit and the machine it was made on."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    made = f"Commit {commit.stdout.strip()}, Python {sys.version.split()[0]}, {sys.platform}."
    text = page.read_text(encoding="utf-8")
    block = f"{_BEGIN}\n{made}\n\n{describe(results)}\n{_END}"
    written, n_marks = re.subn(f"(?s){_BEGIN}.*?{_END}", lambda _: block, text)
    if n_marks != 1:
        raise ValueError(f"{page} needs the marks {_BEGIN} and {_END} once")
    page.write_text(written, encoding="utf-8")
