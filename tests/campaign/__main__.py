"""``python -m tests.campaign``: run one case, one class, the kills, or all, and write the table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.campaign.campaign import CLASSES, SAMPLE, Case, run_cases
from tests.campaign.table import describe, write_table


def main() -> int:
    """Run the cases that the arguments name; 1 when one of them shows a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("name", choices=["all", *CLASSES, "planted"], help="class of the cases")
    parser.add_argument("--seed", type=int, help="run this case only, and keep its folder")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="first seed [default: 0]")
    parser.add_argument("--count", type=int, metavar="N", help="cases per class [default: as in the table]")
    parser.add_argument("--sample", action="store_true", help="the fixed cases that `make test` runs")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="cases at a time [default: 2]")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the table between the marks of this page")
    arguments = parser.parse_args()
    names = list(CLASSES) if arguments.name == "all" else [arguments.name]
    counts = SAMPLE if arguments.sample else CLASSES
    first, keep = arguments.first, arguments.seed is not None
    cases = [Case(name, first + number) for name in names for number in range(arguments.count or counts[name])]
    if keep:
        cases = [Case(name, arguments.seed) for name in names]
    results = run_cases(cases, arguments.jobs, keep)
    print(describe(results))
    if arguments.record:
        write_table(arguments.record, results)
    return 1 if any(result.faults for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
