"""Write what `anyanomaly bench` left in folders into RESULTS.md: ``python benchmarks/record.py FOLDER ...``."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from speed.results import BENCHMARKS, origin, record

PLOT = "fps-auc.svg"


def record_bench(folder: Path, results: Path) -> None:
    """Record the table of a bench folder under the folder's name, with its plot where it has one."""
    title, _, text = (folder / "table.md").read_text(encoding="utf-8").removeprefix("# ").partition("\n")
    text = text.replace(f"{folder}/", "")
    if (folder / PLOT).is_file():
        (results / "results").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / PLOT, results / "results" / f"{folder.name}.svg")
        text += f"\n![Frames per second against AUC](results/{folder.name}.svg)\n"
    run = origin(f"anyanomaly bench benchmarks/recipes/{folder.name}.toml")
    record(f"bench-{folder.name}", title, text, results, [run])


def main() -> None:
    """Record each folder of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="bench/NAME, as `bench` wrote it")
    parser.add_argument("--results", type=Path, default=BENCHMARKS, help="folder of RESULTS.md")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        record_bench(folder, arguments.results)


if __name__ == "__main__":
    main()
