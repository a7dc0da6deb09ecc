"""What the benchmark scripts found: a section each under ``benchmarks/results``, and RESULTS.md made of them.

``python benchmarks/speed/results.py`` joins the sections again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parents[1]
HEAD = "# Results\n\nWritten by the scripts of `benchmarks/` (`--record`); do not edit.\n"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the same keys as a Markdown table."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def record(name: str, title: str, text: str) -> None:
    """Put a section in the place of the one of that name, and write RESULTS.md anew."""
    (BENCHMARKS / "results").mkdir(exist_ok=True)
    (BENCHMARKS / "results" / f"{name}.md").write_text(f"## {title}\n\n{text.strip()}\n")
    (BENCHMARKS / "RESULTS.md").write_text(joined())


def joined() -> str:
    """RESULTS.md, of all sections by name."""
    return "\n".join([HEAD, *(path.read_text() for path in sorted((BENCHMARKS / "results").glob("*.md")))])


if __name__ == "__main__":
    (BENCHMARKS / "RESULTS.md").write_text(joined())
