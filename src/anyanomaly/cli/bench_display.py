"""What a terminal shows of a bench while it goes on."""

from __future__ import annotations

import time

from rich.console import Console
from rich.text import Text

from anyanomaly.cli.live import LiveArea
from anyanomaly.cli.live_text import Glyphs, format_time


class BenchDisplay:
    """The cell that runs, and how many are finished. ``lines`` may be called on another thread."""

    def __init__(self, console: Console, n_cells: int) -> None:
        self.area = LiveArea(console, self.lines)
        self._glyphs = Glyphs.of(console.encoding)
        self._n_cells = n_cells
        self._start_s = time.monotonic()
        self._state = ("", 0.0)  # the cell, and how many cells are finished

    def update(self, cell: str, n_finished: float) -> None:
        """Show which cell runs, and how many are finished, with the fraction of the one that runs."""
        self._state = (self._glyphs.clean(cell), n_finished)

    def lines(self, width: int, height: int) -> list[Text]:
        """Return lines of at most ``width`` cells."""
        cell, n_finished = self._state
        elapsed_s = time.monotonic() - self._start_s
        left_s = elapsed_s / n_finished * (self._n_cells - n_finished) if n_finished else None
        counts = f"{n_finished:.2f} of {self._n_cells} cells   {format_time(elapsed_s)} running"
        return [
            Text(self._glyphs.cut(cell, width), "bold"),
            Text(self._glyphs.describe_progress(n_finished / max(1, self._n_cells), left_s, width)),
            Text(self._glyphs.cut(counts, width)),
        ][:height]
