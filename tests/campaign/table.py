"""The table of a campaign: what was tried per class, and what went wrong."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from tests.campaign.campaign import CLASSES, CaseResult
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


_HEAD = ["class", "cases", "kinds", *_FAULTS.values(), "peak, MiB", "longest, s", "time, min", "seeds", "commit"]
_PEAK, _LONGEST, _TIME = range(3 + len(_FAULTS), 6 + len(_FAULTS))
_ALL = "**all**"


def describe(results: Sequence[CaseResult]) -> str:
    """Return the table in Markdown: a row per class and a row of sums; faults are counted once per case and kind."""
    return _format(_rows(results))


def write_table(page: Path, results: Sequence[CaseResult]) -> None:
    """Write the rows of these classes into the table between the marks of a page; rows of other classes stay."""
    text = page.read_text(encoding="utf-8")
    block = re.search(f"(?s){_BEGIN}(.*?){_END}", text)
    if block is None:
        raise ValueError(f"{page} needs the marks {_BEGIN} and {_END}")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in block[1].split("\n") if line[:1] == "|"]
    rows = {row[0]: row for row in cells[2:] if row[0] != _ALL} | _rows(results)
    order = [name for name in CLASSES if name in rows]
    table = _format({name: rows[name] for name in order})
    page.write_text(text.replace(block[0], f"{_BEGIN}\n{table}\n{_END}"), encoding="utf-8")


def _rows(results: Sequence[CaseResult]) -> dict[str, list[str]]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    names = dict.fromkeys(result.case.name for result in results)
    return {
        name: [*_row(name, [result for result in results if result.case.name == name]), commit.stdout.strip()]
        for name in names
    }


def _format(rows: Mapping[str, Sequence[str]]) -> str:
    lines = [_HEAD, ["---"] * len(_HEAD), *rows.values()]
    if len(rows) > 1:
        numbers = [[float(cell.replace(",", "")) for cell in row[1 : _TIME + 1]] for row in rows.values()]
        totals = [sum(column) for column in zip(*numbers, strict=True)]
        maxima = [max(column) for column in zip(*numbers, strict=True)]
        sums = [f"{total:,.0f}" for total in totals[: _PEAK - 1]]
        tail = [f"{maxima[_PEAK - 1]:.0f}", f"{maxima[_LONGEST - 1]:.0f}", f"{totals[_TIME - 1]:.1f}", "", ""]
        lines.append([_ALL, *sums, *tail])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


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
