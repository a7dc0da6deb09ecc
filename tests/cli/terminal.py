"""A terminal for tests: a screen that obeys what a live display writes, and commands whose terminal it is."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len

import anyanomaly.assemble
import anyanomaly.cli.app
import anyanomaly.cli.run_display  # noqa: F401  # with these three, a forked command has little left to import
from anyanomaly.cli import entry

_TOKEN = re.compile(
    r"\x1b\[(?P<parameters>[?\d;]*)(?P<final>[A-Za-z])|(?P<control>[\r\n\t])|(?P<char>[^\x00-\x1f\x7f])"
)
COLOUR = re.compile(r"\x1b\[[\d;]*(?:3[0-8]|4[0-8]|9[0-7])[\d;]*m")


@dataclass
class Screen:
    """The rows of a terminal with its scrollback; a control sequence that it does not know is an error."""

    columns: int = 80
    n_rows: int = 24
    rows: list[list[str]] = field(default_factory=lambda: [[]])  # characters; a wide one is followed by an empty text
    at: tuple[int, int] = (0, 0)  # row and column of the cursor
    n_wraps: int = 0  # how often a character came behind the last column
    wraps: bool = True

    @property
    def lines(self) -> list[str]:
        """The text of the rows, without blanks at their ends."""
        return ["".join(row).rstrip() for row in self.rows]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def resize(self, columns: int) -> None:
        """Break rows that are too long now, as terminals do."""
        self.columns = columns
        broken: list[list[str]] = []
        for number, row in enumerate(self.rows):
            if number == self.at[0]:
                self.at = (len(broken), self.at[1])
            broken += [row[at : at + columns] for at in range(0, len(row), columns)] or [[]]
        self.rows = broken

    def write(self, text: str) -> None:
        position = 0
        while position < len(text):
            token = _TOKEN.match(text, position)
            assert token, f"the terminal is told {text[position : position + 20]!r}"
            position = token.end()
            if token["final"]:
                self._obey(token["parameters"], token["final"])
            elif token["control"] == "\n":
                self._go(self.at[0] + 1, self.at[1])
            elif token["control"] == "\r":
                self._go(self.at[0], 0)
            elif token["control"] == "\t":
                self._go(self.at[0], self.at[1] // 8 * 8 + 8)
            else:
                self._put(token["char"])

    def _put(self, char: str) -> None:
        width = cell_len(char)
        row, column = self.at
        if column + width > self.columns:
            self.n_wraps += 1
            row, column = (row + 1, 0) if self.wraps else (row, self.columns - width)
            self._go(row, column)
        cells = self.rows[row]
        cells += [" "] * (column + width - len(cells))
        if width == 0:  # it combines with the one before
            cells[column - 1] += char
        else:
            cells[column : column + width] = [char] + [""] * (width - 1)
        self.at = (row, column + width)

    def _go(self, row: int, column: int) -> None:
        self.rows += [[] for _ in range(row + 1 - len(self.rows))]
        self.at = (row, column)

    def _obey(self, parameters: str, final: str) -> None:
        row, column = self.at
        match parameters, final:
            case number, "A":
                top = max(0, len(self.rows) - self.n_rows)
                self._go(max(top, row - int(number or 1)), column)
            case "", "J":
                del self.rows[row + 1 :], self.rows[row][column:]
            case "", "K":
                del self.rows[row][column:]
            case "?7", "l" | "h":
                self.wraps = final == "h"
            case _, "m":
                pass
            case _:
                raise AssertionError(f"the terminal is told {parameters}{final}")


@dataclass
class Finished:
    """A command that ran in a terminal."""

    code: int
    printed: str  # what the terminal got
    piped: str  # standard output, when it was a pipe
    screen: Screen


def run_in_terminal(
    arguments: Sequence[str],
    *,
    columns: int = 100,
    rows: int = 30,
    encoding: str = "utf-8",
    pipe_output: bool = False,
    meanwhile: Callable[[str], str | int | None] = lambda printed: None,
    **environment: str,
) -> Finished:
    """Run ``anyanomaly`` in a forked process, whose streams are a terminal: that costs less than a start of Python.

    :param pipe_output: standard output is a pipe.
    :param meanwhile: from what was printed so far to keys to press, or to a signal to send, once.
    """
    pipe, pipe_end = os.pipe()
    process_id, terminal = pty.fork()
    if process_id == 0:
        code = 99
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            if pipe_output:
                os.dup2(pipe_end, 1)
            code = _run(arguments, encoding, environment)
        finally:
            os._exit(code)
    os.close(pipe_end)
    content, end_s = b"", time.monotonic() + 60
    while time.monotonic() < end_s:
        try:
            content += os.read(terminal, 65536) if select.select([terminal], [], [], 0.1)[0] else b""
        except OSError:  # the process has closed it
            break
        match meanwhile(content.decode(errors="replace")):
            case str() as keys:
                os.write(terminal, keys.encode())
            case int() as number:
                os.kill(process_id, number)
            case _:
                continue
        meanwhile = _do_nothing
    else:
        os.kill(process_id, signal.SIGKILL)
    _, status = os.waitpid(process_id, 0)
    os.close(terminal)
    with os.fdopen(pipe, encoding="utf-8") as file:
        piped = file.read()
    printed = content.decode(encoding)
    screen = Screen(columns, rows)
    screen.write(printed)
    return Finished(os.waitstatus_to_exitcode(status), printed, piped, screen)


def _do_nothing(printed: str) -> None:
    pass


def _run(arguments: Sequence[str], encoding: str, environment: dict[str, str]) -> int:
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        os.environ.pop(name, None)
    os.environ.update({"TERM": "xterm-256color", **environment})
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding=encoding, errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = ["anyanomaly", *arguments]
    try:
        entry()
    except SystemExit as end:
        return int(end.code or 0)
    return 0
