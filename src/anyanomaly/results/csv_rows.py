"""Read .csv files of scores per frame, row by row."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from anyanomaly.errors import InputError
from anyanomaly.results.csv_cells import unguard_cell
from anyanomaly.results.files import MAX_LINE, describe, open_results, shorten
from anyanomaly.results.records import FrameScore

FIRST_COLUMNS = ("video", "frame", "time_s", "text")
LAST_COLUMNS = ("raw", "score")
ASKED_COLUMN = "asked"
"""Behind the last columns where the run may leave something unasked; then one per context, ``asked.NAME``."""


class CsvRows:
    """The rows of a file, read each time they are iterated."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ends_with_a_line(self) -> bool:
        """Return whether the last line is whole. Errors as iterating."""
        with open_results(self._path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            return file.read() == b"\n"

    def __iter__(self) -> Iterator[FrameScore]:
        """Yield the rows; the last one only if it is whole.

        :raises InputError: when the file cannot be read or is not of a run, with the number of the line.
        """
        with open_results(self._path) as file:
            lines = _Lines(file, self._path)
            rows = csv.reader(lines)
            contexts: list[str] | None = None
            has_asked = False
            stops: dict[tuple[str, str], int] = {}  # last frame of each video and event text
            try:
                for row in rows:
                    if not lines.is_whole:
                        break
                    if contexts is None:
                        contexts, has_asked = self._read_header(row)
                    else:
                        score = self._parse(row, contexts, has_asked, rows.line_num)
                        if score.frame <= stops.get((score.video, score.text), -1):
                            raise self._failure(rows.line_num, f"frame {score.frame} comes twice, or too late")
                        stops[score.video, score.text] = score.frame
                        yield score
            except csv.Error as error:
                raise self._failure(rows.line_num, str(error)) from error
            except UnicodeDecodeError as error:
                raise self._failure(rows.line_num + 1, "it is not UTF-8") from error
            if contexts is None:
                raise self._failure(1, "there is no header")

    def _read_header(self, header: list[str]) -> tuple[list[str], bool]:
        """Return the names of the contexts, and whether there are columns that say what was asked."""
        names = [unguard_cell(cell) for cell in header]
        contexts, has_asked = names[4:-2], False
        n_contexts = (len(names) - 7) // 2
        if n_contexts >= 0 and names[4 + n_contexts : 7 + n_contexts] == [*LAST_COLUMNS, ASKED_COLUMN]:
            contexts, has_asked = names[4 : 4 + n_contexts], True
        if names != _columns(contexts, has_asked) or len(set(names)) < len(names):
            columns = ",".join([*FIRST_COLUMNS, "...", *LAST_COLUMNS])
            raise self._failure(1, f"the columns are not {columns}")
        return contexts, has_asked

    def _parse(self, row: list[str], contexts: list[str], has_asked: bool, number: int) -> FrameScore:
        n_columns = len(_columns(contexts, has_asked))
        if len(row) != n_columns:
            raise self._failure(number, f"{len(row)} cells instead of {n_columns}")
        (video, frame, time_s, text), cells = row[:4], row[4:]
        scores, asked = cells[: len(contexts) + 2], cells[len(contexts) + 2 :]
        try:
            raw, score = map(_number, scores[-2:])
            marks = list(map(_truth, asked))
            return FrameScore(
                video=unguard_cell(video),
                frame=int(frame),
                time_s=float(time_s),
                text=unguard_cell(text),
                contexts=dict(zip(contexts, map(_number, scores[:-2]), strict=True)),
                raw=raw,
                score=score,
                asked=marks[0] if has_asked else True,
                contexts_asked=dict(zip(contexts, marks[1:], strict=True)) if has_asked else {},
            )
        except ValidationError as error:
            raise self._failure(number, describe(error)) from error
        except ValueError as error:
            raise self._failure(number, str(error)) from error

    def _failure(self, number: int, reason: str) -> InputError:
        return InputError(
            f"Line {number} of {self._path} is not a row of scores ({shorten(reason)}); give a file that "
            f"`run -o FILE.csv` wrote."
        )


class _Lines:
    """The lines of a file, and whether the last one that was read has an end."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self.is_whole = True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(MAX_LINE)
        if not line:
            raise StopIteration
        if len(line) == MAX_LINE:
            raise InputError(f"{self._path} has a line of more than {MAX_LINE >> 20} MiB; give a .csv file of a run.")
        self.is_whole = line.endswith(b"\n")
        return line.decode()


def _columns(contexts: list[str], has_asked: bool) -> list[str]:
    asked = [ASKED_COLUMN, *(f"{ASKED_COLUMN}.{name}" for name in contexts)] if has_asked else []
    return [*FIRST_COLUMNS, *contexts, *LAST_COLUMNS, *asked]


def _truth(cell: str) -> bool:
    """Return a truth value, also as a spreadsheet writes it.

    :raises ValueError: for another cell.
    """
    values = {"true": True, "false": False}
    if cell.lower() not in values:
        raise ValueError(f"'{cell}' is not true or false")
    return values[cell.lower()]


def _number(cell: str) -> float | None:
    """Return a score; None for an empty cell.

    :raises ValueError: for what is no finite number.
    """
    if not cell:
        return None
    value = float(cell)
    if value - value:  # infinite or NaN
        raise ValueError(f"'{cell}' is not a finite number")
    return value
