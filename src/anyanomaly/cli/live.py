"""Lines at the bottom of a terminal that change while a command goes on, below everything that it prints.

The cursor is at the start of the line below them, and is never hidden: however the process ends, its terminal works.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from anyanomaly import interrupts

REFRESH_S = 0.2
"""Seconds between two drawings."""

_ERASE_BELOW = "\x1b[J"
_ERASE_TO_RIGHT = "\x1b[K"
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"  # a terminal may take a character for wider than we do


def open_console() -> Console | None:
    """Return a console on standard error; None when that is no terminal on which lines can change."""
    console = Console(file=sys.stderr, markup=False, emoji=False, highlight=False)
    is_terminal = sys.stderr.isatty() and console.is_terminal and console.is_interactive
    return console if is_terminal and not console.is_dumb_terminal and not console.legacy_windows else None


class LiveArea:
    """Draws lines again and again, on a thread of its own, from entering to leaving; then they are gone."""

    def __init__(self, console: Console, render: Callable[[int, int], Sequence[Text]]) -> None:
        """:param render: from the cells of a line and the largest number of lines to the lines."""
        self._console = console
        self._render = render
        self._lock = threading.RLock()
        self._end = threading.Event()
        self._widths: list[int] = []  # of the lines on the terminal, cells
        self._columns = 0  # of the terminal when they were drawn
        self._drawn_s = 0.0
        self._reflows = "XTERM_VERSION" not in os.environ and "STY" not in os.environ  # xterm and screen do not

    def __enter__(self) -> Self:
        self.draw()
        threading.Thread(target=self._keep_drawing, name="live display", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with interrupts.Deferred():
            self._end.set()
            with self._lock:
                self._write(self._erasure())

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        """Remove the lines while something is printed in their place."""
        with self._lock:
            with interrupts.Deferred():
                self._write(self._erasure())
            yield
            if time.monotonic() - self._drawn_s > REFRESH_S:  # otherwise the thread draws them soon
                self.draw()

    def _keep_drawing(self) -> None:
        while not self._end.wait(REFRESH_S):
            self.draw()

    def draw(self) -> None:
        """Draw the lines as they are now."""
        with interrupts.Deferred(), self._lock, contextlib.suppress(OSError):  # the terminal is gone; the run goes on
            if self._end.is_set():
                return
            columns, rows = self._console.size
            lines = list(self._render(columns - 1, rows - 1))[: rows - 1]
            with self._console.capture() as capture:
                for line in lines:
                    self._console.print(line, no_wrap=True, overflow="crop", width=columns - 1)
            text = capture.get().replace("\n", f"{_ERASE_TO_RIGHT}\n")
            self._write(f"{self._start()}{_NO_WRAP}{text}{_WRAP}{_ERASE_BELOW}")
            self._widths, self._columns = [min(line.cell_len, columns - 1) for line in lines], columns
            self._drawn_s = time.monotonic()

    def _erasure(self) -> str:
        erasure = f"{self._start()}{_ERASE_BELOW}" if self._widths else ""
        self._widths = []
        return erasure

    def _start(self) -> str:
        """Return what moves the cursor to the first of the drawn lines; a terminal that is narrower now broke them."""
        columns = self._console.width
        n_rows = len(self._widths)
        if columns < self._columns and self._reflows:
            n_rows = sum(max(1, -(-width // columns)) for width in self._widths)
        return f"\r\x1b[{n_rows}A" if n_rows else "\r"

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._console.file.write(text)
            self._console.file.flush()
