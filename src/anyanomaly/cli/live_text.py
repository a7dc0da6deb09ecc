"""Lines of a live display: texts and characters that fit the width and the encoding of a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from anyanomaly.cli.sparkline import ASCII_LEVELS, BLOCK_LEVELS
from anyanomaly.outside_text import terminal_line
from anyanomaly.time_text import time_text

MAX_CHARACTERS = 400
"""Longer texts are cut before their width is measured; combining characters have none."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters of a display in the encoding of a terminal."""

    encoding: str
    levels: str = ASCII_LEVELS  # of a sparkline, lowest first
    bar: str = "#."  # of a progress bar: what is done, and the rest
    ellipsis: str = "..."
    unasked: str = ":"  # in a sparkline, where the model was not asked

    @classmethod
    def of(cls, encoding: str | None) -> Glyphs:
        """Return block characters where the encoding has them, otherwise ASCII characters."""
        encoding = encoding or "ascii"
        blocks = cls(encoding, BLOCK_LEVELS, "━─", "…", "·")
        try:
            f"{blocks.levels}{blocks.bar}{blocks.ellipsis}{blocks.unasked}".encode(encoding)
        except (UnicodeEncodeError, LookupError):
            return cls(encoding)
        return blocks

    def clean(self, text: str) -> str:
        """Return a text from outside as one line that the terminal can show and does not obey."""
        line = terminal_line(text)[:MAX_CHARACTERS]
        return line.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def cut(self, text: str, width: int) -> str:
        """Return a clean text in at most ``width`` cells; one that is cut ends with an ellipsis."""
        if cell_len(text) <= width:
            return text
        text_width = max(0, width - len(self.ellipsis))
        return set_cell_size(text, text_width).rstrip() + self.ellipsis[: width - text_width]

    def pad(self, text: str, width: int) -> str:
        """Return a clean text in exactly ``width`` cells."""
        return set_cell_size(self.cut(text, width), width)

    def draw_bar(self, fraction: float, width: int) -> str:
        """Return a progress bar of ``width`` cells for a fraction from 0 to 1."""
        n_done = int(min(max(fraction, 0.0), 1.0) * width)
        return self.bar[0] * n_done + self.bar[1] * (width - n_done)

    def describe_progress(self, fraction: float, left_s: float | None, width: int) -> str:
        """Return a line with a progress bar, the percentage and the time left, where it is known."""
        time_left = f"  {time_text(left_s)} left" if left_s is not None else ""
        figures = f" {math.floor(100 * min(fraction, 1.0)):3d} %{time_left}"
        return self.cut(self.draw_bar(fraction, max(0, min(width - len(figures), 60))) + figures, width)


def format_rate(value: float) -> str:
    """Return a number with about three digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def pack(parts: Iterable[str], width: int) -> Iterator[str]:
    """Yield lines of as many parts as fit in ``width`` cells; a part is never divided."""
    line = ""
    for part in parts:
        longer = f"{line}   {part}" if line else part
        if line and cell_len(longer) > width:
            yield line
            longer = part
        line = longer
    if line:
        yield line
