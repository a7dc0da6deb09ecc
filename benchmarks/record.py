"""Put what `anyanomaly bench` left in folders into RESULTS.md: ``python benchmarks/record.py FOLDER ...``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from speed.results import BENCHMARKS, record

PLOT = "fps-auc.svg"


def main(folders: list[str]) -> None:
    """Record each folder under its name, with its plot where it has one."""
    for folder in map(Path, folders):
        title, _, text = (folder / "table.md").read_text(encoding="utf-8").removeprefix("# ").partition("\n")
        text = text.replace(f"{folder}/", "")
        if (folder / PLOT).is_file():
            plots = BENCHMARKS / "results"
            plots.mkdir(exist_ok=True)
            shutil.copyfile(folder / PLOT, plots / f"{folder.name}.svg")
            text += f"\n![Frames per second against AUC](results/{folder.name}.svg)\n"
        record(f"bench-{folder.name}", title, text)


if __name__ == "__main__":
    main(sys.argv[1:])
