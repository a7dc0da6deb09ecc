"""A progress bar: what a terminal shows of a command whose steps have one number."""

from __future__ import annotations

import time

from rich.console import Console
from rich.text import Text

from anyanomaly.cli.live import LiveArea
from anyanomaly.cli.live_text import Glyphs
from anyanomaly.time_text import time_text


class BarDisplay:
    """How many units of work are done. ``lines`` may be called on another thread."""

    def __init__(self, console: Console, unit: str) -> None:
        """:param unit: what is counted, in the plural."""
        self.area = LiveArea(console, self.lines)
        self._glyphs = Glyphs.of(console.encoding)
        self._unit = unit
        self._start_s = time.monotonic()
        self._state: tuple[str, float, float | None] = ("", 0, None)

    def update(self, name: str, n_done: float, n_total: float | None) -> None:
        """Show how much is done.

        :param name: of what is worked on; empty: it has none. :param n_total: how much there is; None: unknown.
        """
        self._state = (name, n_done, n_total)

    def lines(self, width: int, height: int) -> list[Text]:
        """Return at most ``height`` lines of at most ``width`` cells."""
        name, n_done, n_total = self._state
        elapsed_s = time.monotonic() - self._start_s
        lines = [self._glyphs.cut(self._glyphs.clean(name), width)] if name else []
        count = f"{n_done:,.2f}".removesuffix("00").rstrip(".")
        if n_total:
            left_s = elapsed_s / n_done * max(0, n_total - n_done) if n_done else None
            lines.append(self._glyphs.describe_progress(n_done / n_total, left_s, width))
            count = f"{count} of {n_total:,}"
        lines.append(self._glyphs.cut(f"{count} {self._unit}   {time_text(elapsed_s)} running", width))
        return [Text(line) for line in lines[:height]]
