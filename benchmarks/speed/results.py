"""The sections of RESULTS.md: one file per benchmark under ``benchmarks/results``, with its commit and command.

``python benchmarks/speed/results.py`` joins the sections into RESULTS.md; ``--check`` only compares them.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parents[1]
HEAD = """# Results

Written by the scripts of `benchmarks/`; do not edit. Each section ends with the commit and the command that made its
figures. Times depend on the machine, and on what else runs on it.
"""


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows with the same keys as a Markdown table."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def add_record_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--record`` and ``--results`` to a script's options."""
    parser.add_argument("--record", action="store_true", help="write the table into RESULTS.md")
    parser.add_argument("--results", type=Path, default=BENCHMARKS, help="folder of RESULTS.md")


def record(
    name: str, title: str, text: str, folder: Path = BENCHMARKS, origins: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write a section, in place of an older one of the same name, and RESULTS.md with it.

    :param folder: holds RESULTS.md and the sections in ``results``.
    :param origins: "commit" and "command" of each run that made figures; by default those of this process.
    """
    lines = [f"Commit {run['commit']}: `{run['command']}`" for run in origins or [origin()]]
    section = "\n\n".join((f"## {title}", text.strip(), "  \n".join(lines)))
    (folder / "results").mkdir(parents=True, exist_ok=True)
    (folder / "results" / f"{name}.md").write_text(f"{section}\n", encoding="utf-8")
    (folder / "RESULTS.md").write_text(joined(folder), encoding="utf-8")


def joined(folder: Path = BENCHMARKS) -> str:
    """Return RESULTS.md: all sections, sorted by name."""
    sections = sorted((folder / "results").glob("*.md"))
    return "\n".join([HEAD, *(section.read_text(encoding="utf-8") for section in sections)])


def origin(command: str = "") -> dict[str, str]:
    """Return "commit" and "command" of a run; by default the command line of this process."""
    return {"commit": commit(), "command": command or command_line()}


def commit() -> str:
    """Return the commit that is checked out, and whether sources differ from it."""
    try:
        revision = _git("rev-parse", "--short", "HEAD")
        changes = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results", ":!*.md")
    except (OSError, subprocess.CalledProcessError):
        return "unknown (no git checkout)"
    return f"{revision} with changes that were not committed" if changes else revision


def command_line() -> str:
    """Return this process's command as typed in the checkout; of paths outside it only the names."""
    return shlex.join(["python", *(_portable(argument) for argument in sys.argv)])


def _portable(argument: str) -> str:
    path = Path(argument)
    if not path.exists():
        return argument
    resolved = path.resolve()
    return os.path.relpath(resolved, BENCHMARKS.parent) if resolved.is_relative_to(BENCHMARKS.parent) else path.name


def _git(*arguments: str) -> str:
    process = subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=BENCHMARKS.parent, check=True)
    return process.stdout.strip()


def main() -> None:
    """Write RESULTS.md, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether RESULTS.md is up to date")
    parser.add_argument("--results", type=Path, default=BENCHMARKS, help="folder of RESULTS.md")
    arguments = parser.parse_args()
    page = arguments.results / "RESULTS.md"
    if not arguments.check:
        page.write_text(joined(arguments.results), encoding="utf-8")
    elif page.read_text(encoding="utf-8") != joined(arguments.results):
        sys.exit(f"{page.name} is not its sections joined. Run: python benchmarks/speed/results.py")


if __name__ == "__main__":
    main()
