"""Printing: text, tables, JSON and scores on standard output, messages on standard error.

The only module of the command line that prints. What it prints may come from outside, so all of it passes through
`outside_text`: text is the same on a terminal and in a pipe, and the exact text is in JSON. While lines of a live
display are at the bottom of the terminal, it prints above them.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import logging
import math
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from anyanomaly.outside_text import json_text, terminal_line, terminal_text

if TYPE_CHECKING:
    from rich.console import Console

    from anyanomaly.cli.live import LiveArea

_live_areas: list[LiveArea] = []  # at most one


def open_live_console(outputs: Sequence[str]) -> Console | None:
    """Return a console on standard error for a live display.

    :param outputs: files that the command writes. :returns: None when standard error is not a terminal on which lines
        can change, or one of the outputs is written to the terminal.
    """
    from anyanomaly.api.safe_file import is_standard_output

    if not sys.stderr.isatty() or (sys.stdout.isatty() and any(map(is_standard_output, outputs))):
        return None
    from anyanomaly.cli.live import open_console

    return open_console()


@contextlib.contextmanager
def show_live(area: LiveArea) -> Iterator[None]:
    """Show the lines of a live display until the end of the block; everything else is printed above them."""
    with area:
        _live_areas.append(area)
        try:
            yield
        finally:
            _live_areas.remove(area)


def _above_live(stream: TextIO) -> contextlib.AbstractContextManager[None]:
    """Return a block in which lines can be printed: on a terminal, without the lines of the live display."""
    return _live_areas[0].hidden() if _live_areas and stream.isatty() else contextlib.nullcontext()


def print_text(text: str) -> None:
    """Print text of one or more lines."""
    _print(terminal_text(text))


def print_line(text: str) -> None:
    """Print one line."""
    _print(terminal_line(text))


def print_fields(fields: Sequence[str]) -> None:
    """Print one line of fields with tabs between them."""
    _print("\t".join(map(terminal_line, fields)))


def _print(text: str) -> None:
    with _above_live(sys.stdout):
        print(text, flush=True)


def print_table(rows: Sequence[Sequence[str]], indent: str = "") -> None:
    """Print rows in aligned columns; all rows have the same number of cells."""
    printed_rows = [[terminal_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*printed_rows, strict=True)]
    for row in printed_rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(f"{indent}{'  '.join(cells)}".rstrip())


def print_json(value: Any, indent: int | None = 2) -> None:
    """Print a value as JSON; without ``indent`` on one line."""
    _print(json_text(value, indent=indent))


def print_toml(text: str) -> None:
    """Print a TOML document whose strings are `json_text`; characters that the terminal cannot show are escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    chars = (char if char.isascii() or _can_encode(char, encoding) else f"\\U{ord(char):08x}" for char in text)
    print("".join(chars), end="")


def print_message(message: str) -> None:
    """Print a message as one line on standard error, apart from the data."""
    with _above_live(sys.stderr):
        print(format_message(message), file=sys.stderr)


def print_traceback(error: BaseException) -> None:
    """Print the traceback of a bug on standard error."""
    print(terminal_text("".join(traceback.format_exception(error))), end="", file=sys.stderr)


def format_message(message: str) -> str:
    """Return a message as one line for a terminal; its line breaks become blanks."""
    return terminal_line(" ".join(message.split("\n")))


def format_score(value: float, *, is_asked: bool = True) -> str:
    """Return a score in [0, 1] as text; NaN is "unreadable", unless the model was not asked for it."""
    if not is_asked:
        return "not asked"
    return "unreadable" if math.isnan(value) else f"{value:.3f}"


class _MessageHandler(logging.StreamHandler[TextIO]):
    """Prints log records above the live display."""

    def emit(self, record: logging.LogRecord) -> None:
        with _above_live(self.stream):
            super().emit(record)


class MessageFormatter(logging.Formatter):
    """Formats the log records of all libraries: one line each, and the lines of a traceback."""

    def __init__(self) -> None:
        super().__init__("anyanomaly: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return format_message(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        """Return the traceback of a record."""
        return terminal_text(super().formatException(ei))


def start_logging(level: int) -> None:
    """Send the log records of all libraries from ``level`` upwards to standard error."""
    handler = _MessageHandler(sys.stderr)
    handler.setFormatter(MessageFormatter())
    logging.basicConfig(handlers=[handler], level=level, force=True)


def prepare_streams() -> None:
    """Make the streams of this process accept every text, in every locale; what they cannot encode is escaped.

    Warnings of libraries and the tracebacks of bugs are then printed by this module too.
    """
    codecs.register_error("anyanomaly-escape", _escape_unencodable)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="anyanomaly-escape")
    logging.captureWarnings(True)
    sys.excepthook = lambda _, error, trace: print_traceback(error.with_traceback(trace))


def _can_encode(char: str, encoding: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escape_unencodable(error: UnicodeError) -> tuple[str, int]:
    r"""Return the characters that a stream cannot encode as ``\u....``, as JSON writes them."""
    assert isinstance(error, UnicodeEncodeError)
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    escapes = (f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    return "".join(escapes), error.end
