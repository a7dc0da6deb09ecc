"""Result files: what they hold, and how they are read.

``records`` has the fields of each format, ``json_lines`` and ``csv_rows`` read files of any size piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import ValidationError

from anyanomaly.api.sink import RunEnd
from anyanomaly.errors import InputError
from anyanomaly.evidence import Evidence, Truth
from anyanomaly.results.csv_rows import CsvRows
from anyanomaly.results.evidence_records import EvidenceRecord
from anyanomaly.results.files import check_counts, check_format, check_format_of, describe, is_parquet, open_results
from anyanomaly.results.json_lines import read_last_line, read_records, read_run
from anyanomaly.results.records import (
    EventRecord,
    EventsDocument,
    FrameScore,
    NoticeRecord,
    Record,
    SegmentRecord,
    TruthRecord,
    VideoRecord,
)
from anyanomaly.types import Event, Notice, Video

__all__ = ["FrameScore", "Results", "SegmentRecord", "read_results"]

T = TypeVar("T")
R = TypeVar("R")
Status: TypeAlias = Literal["complete", "interrupted", "failed", "unfinished", "unknown"]

MAX_DOCUMENT = 1 << 28
"""Bytes of a .json file, which is read as a whole."""
_NUMBERED_PARTIAL = re.compile(r"(\.\d+)?\.partial$")


class Lazy(Generic[T]):
    """Values that are read from their file each time they are iterated."""

    def __init__(self, read: Callable[[], Iterable[T]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[T]:
        """:raises InputError: when the file is damaged, with the number of the line."""
        return iter(self._read())


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """The content of a result file; what its format does not hold is empty.

    ``segments`` and ``frames`` are read from the file, line by line, each time they are iterated, so that a file of any
    size needs little memory.
    """

    path: Path
    header: Mapping[str, Any]  # how the results were made: settings, prompts, versions, fingerprints of the models
    format: int | None  # version of the format; None: of older versions of anyanomaly, and of .csv files
    status: Status  # how the run ended; "unfinished": it is still writing, or was killed; "unknown": see `format`
    end: RunEnd | None  # the same with counts; None: the file does not have them
    is_cut: bool  # the file ends within a line, as a killed run may leave it; that line is left out
    records: Lazy[Record | FrameScore]  # all of them, in the order of the file

    @property
    def segments(self) -> Lazy[SegmentRecord]:
        """The scores per segment and event text. Iterating raises ``InputError`` where the file is damaged."""
        return Lazy(lambda: self._select(SegmentRecord))

    @property
    def frames(self) -> Lazy[FrameScore]:
        """The scores per frame and event text, of a .csv file. Iterating raises ``InputError`` as for segments."""
        return Lazy(lambda: self._select(FrameScore))

    @property
    def evidence(self) -> Lazy[Evidence]:
        """What the model saw and answered at the peak of each event, of a .jsonl file. Iterating raises as segments."""
        return Lazy(lambda: (record.evidence for record in self._select(EvidenceRecord)))

    @property
    def videos(self) -> tuple[Video, ...]:
        """The videos, of a .jsonl file since format 2.

        :raises InputError: when the file is damaged.
        """
        return tuple(record.as_video for record in self._select(VideoRecord))

    @property
    def truth(self) -> tuple[Truth, ...]:
        """The ground truth, where it was known, of a .jsonl file.

        :raises InputError: when the file is damaged.
        """
        return tuple(record.truth for record in self._select(TruthRecord))

    @property
    def events(self) -> tuple[Event, ...]:
        """The events.

        :raises InputError: when the file is damaged.
        """
        return tuple(record.event for record in self._select(EventRecord))

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What was unusual about videos, or could not be read of them.

        :raises InputError: when the file is damaged.
        """
        return tuple(record.notice for record in self._select(NoticeRecord))

    @property
    def error(self) -> str:
        """The message of a run that failed; otherwise empty."""
        return self.end.error if self.end else ""

    def _select(self, kind: type[R]) -> Iterator[R]:
        return (record for record in self.records if isinstance(record, kind))


def read_results(path: str | Path) -> Results:
    """Read a result file: .jsonl, .json with events, or .csv; also one that a run left as ``.partial``.

    :raises InputError: when it cannot be read or is of another kind, with file and line.
    """
    path = Path(path)
    readers = {
        ".jsonl": _read_json_lines,
        ".jsonl.gz": _read_json_lines,
        ".parquet": _read_parquet,
        ".json": _read_events,
        ".csv": _read_csv,
    }
    suffix = results_suffix(path)
    if suffix not in readers:
        raise InputError(f"Cannot read the results {path}: its name does not end in {', '.join(readers)}.")
    return readers[suffix](path)


def read_score_records(path: Path) -> Iterator[Record]:
    """Yield the records of a file with the scores of segments, whatever its name: JSON lines or Parquet.

    :raises InputError: as `read_results`, with the number of the line.
    """
    if not is_parquet(path):
        return read_records(path)
    from anyanomaly.results.parquet import read_parquet

    return read_parquet(path)


def results_suffix(path: Path) -> str:
    """Return the suffix of a result file, which names its format, in lower case; without ``.partial``."""
    name = Path(_NUMBERED_PARTIAL.sub("", path.name).lower())
    return "".join(name.suffixes[-2:]) if name.suffix == ".gz" else name.suffix


def _read_json_lines(path: Path) -> Results:
    run = read_run(path)
    last_line = read_last_line(path)
    end = last_line.end.run_end if last_line.end else None
    status = _status(end, run.format)
    return Results(path, run.header, run.format, status, end, last_line.is_cut, Lazy(lambda: read_records(path)))


def _read_parquet(path: Path) -> Results:
    if not is_parquet(path):  # of a run that did not complete
        return _read_json_lines(path)
    from anyanomaly.results.parquet import read_parquet, read_parquet_ends

    run, end_record = read_parquet_ends(path)
    check_format(run.format, path)
    end = end_record.run_end if end_record else None
    status = _status(end, run.format)
    return Results(path, run.header, run.format, status, end, False, Lazy(lambda: read_parquet(path)))


def _read_events(path: Path) -> Results:
    with open_results(path) as file:
        content = file.read(MAX_DOCUMENT + 1)
    if len(content) > MAX_DOCUMENT:
        raise InputError(f"{path} has more than {MAX_DOCUMENT >> 20} MiB, too much for a file of events.")
    try:
        document = EventsDocument.model_validate_json(content)
    except ValidationError as error:
        check_format_of(content, path)
        raise InputError(
            f"{path} is not a file of events ({describe(error)}); give a file that `run -o FILE.json` wrote."
        ) from error
    check_format(document.format, path)
    end = document.end.run_end if document.end else None
    if end:
        check_counts({"event": len(document.events), "notice": len(document.notices)}, end, path)
    records: tuple[Record, ...] = (*document.events, *document.notices)
    status = _status(end, document.format)
    return Results(path, document.run, document.format, status, end, False, Lazy(lambda: records))


def _read_csv(path: Path) -> Results:
    rows = CsvRows(path)
    is_cut = not rows.ends_with_a_line()
    status: Status = "unfinished" if is_cut or _NUMBERED_PARTIAL.search(path.name) else "complete"
    return Results(path, {}, None, status, None, is_cut, Lazy(lambda: rows))


def _status(end: RunEnd | None, version: int | None) -> Status:
    if end is None:
        return "unknown" if version is None else "unfinished"
    return end.status
