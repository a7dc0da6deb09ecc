"""Checks of the records of a result file against each other, whatever its format."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from anyanomaly.errors import InputError
from anyanomaly.results.files import COUNTED, check_counts, check_format
from anyanomaly.results.records import EndRecord, Record, RunRecord, SegmentRecord


class OrderCheck:
    """Checks that records follow each other as a run writes them."""

    def __init__(self, unit: str = "Line") -> None:
        """:param unit: what the records of the file are, for messages."""
        self._unit = unit
        self._run: RunRecord | None = None
        self._has_ended = False
        self._counts: Counter[str] = Counter()  # records of each type
        self._stops: dict[tuple[str, str], int] = {}  # last frame of each video and event text

    def add(self, record: Record, number: int, path: Path) -> None:
        """:raises InputError: for a record that cannot be at its place."""
        if self._has_ended:
            raise InputError(
                f"{self._unit} {number} of {path} comes after the end of the run. Give the file of one run."
            )
        self._counts[record.type] += 1
        if isinstance(record, RunRecord):
            check_format(record.format, path)
            if self._run and record.format is not None:
                raise InputError(
                    f"{self._unit} {number} of {path} begins a second run. Give the files of several runs one by one."
                )
            self._run = record
        elif self._run is None:
            self.check_run(path)
        elif isinstance(record, EndRecord):
            self._has_ended = True
            check_counts({kind: self._counts[kind] for kind in COUNTED}, record.run_end, path)
        elif isinstance(record, SegmentRecord) and self._run.format is not None:
            key = (record.video, record.text)
            if record.start < self._stops.get(key, 0):
                raise InputError(
                    f"{self._unit} {number} of {path} repeats frame {record.start} of video '{record.video}' for "
                    f"'{record.text}'. Remove one of them, or make the scores again."
                )
            self._stops[key] = record.stop

    def check_run(self, path: Path) -> None:
        """:raises InputError: when no run was described."""
        if self._run is None:
            raise InputError(f"{path} does not describe its run; give a file that `run -o FILE.jsonl` wrote.")
