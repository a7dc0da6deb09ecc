"""Result files: CSV, events, and what all result files share. The same results give the same bytes.

``anyanomaly.results.records`` has the fields of each file, and ``docs/results.md`` their meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from anyanomaly.api.safe_file import SafeFile
from anyanomaly.api.sink import RunEnd, Sink, SinkOptions
from anyanomaly.outside_text import json_text
from anyanomaly.results.csv_cells import csv_text
from anyanomaly.results.csv_rows import ASKED_COLUMN, FIRST_COLUMNS, LAST_COLUMNS
from anyanomaly.results.fields import rounded_number
from anyanomaly.results.records import FORMAT
from anyanomaly.results.run_header import can_skip_questions
from anyanomaly.time_text import time_text
from anyanomaly.types import Event, Notice, Timeline

S = TypeVar("S", bound=SinkOptions)


class FileSink(Sink[S]):
    """A sink that writes one file, which it opens at the first result."""

    def __init__(self, options: S) -> None:
        super().__init__(options)
        self._file = SafeFile(options.path)
        self._run: Mapping[str, Any] = {}

    def load(self) -> None:
        """Check that the file can be written, and keep other runs from writing it.

        :raises OutputError: when it cannot.
        """
        self._file.check()

    def begin(self, run: Mapping[str, Any]) -> None:
        """Keep the description of the run until the first result is written."""
        self._run = run

    def end(self, run_end: RunEnd) -> None:
        """Give the file its name if it is whole.

        :raises OutputError: when that fails.
        """
        self._file.close(complete=run_end.is_whole)

    def close(self) -> None:
        """Leave results without an end in the partial file."""
        self._file.close(complete=False)


class CsvSink(FileSink[SinkOptions]):
    """One row per frame and text: video, frame, time_s, text, one column per context, raw, score.

    A missing score is an empty field. Texts are written so that no spreadsheet runs them as a formula. Of runs that may
    leave something unasked, the columns asked, and asked.NAME per context, say what was asked.
    """

    _has_header = False
    _has_asked = False

    def begin(self, run: Mapping[str, Any]) -> None:
        """Keep whether the run may leave something unasked."""
        super().begin(run)
        self._has_asked = can_skip_questions(run)

    def write_timeline(self, timeline: Timeline) -> None:
        """Write the rows of a timeline, or of a piece of one.

        :raises OutputError: when the file cannot be written.
        """
        series = [*timeline.contexts.values(), timeline.raw, timeline.smooth]
        asked = [timeline.asked, *(timeline.contexts_asked[name] for name in timeline.contexts)]
        asked = asked if self._has_asked else []
        rows = [
            [timeline.video.id, timeline.start + row, rounded_number(float(time_s)), timeline.text]
            + [rounded_number(float(score)) for score in scores]
            + [str(bool(flags[row])).lower() for flags in asked]
            for row, (time_s, *scores) in enumerate(zip(timeline.times_s, *series, strict=True))
        ]
        self._write_rows(rows, timeline.contexts)

    def end(self, run_end: RunEnd) -> None:
        """Give the file its name if it is whole; without rows it has only a header.

        :raises OutputError: when that fails.
        """
        if run_end.is_whole and not self._has_header:
            self._write_rows([], self._run.get("config", {}).get("contexts", ()))
        super().end(run_end)

    def _write_rows(self, rows: Iterable[Sequence[Any]], contexts: Iterable[str]) -> None:
        names = list(contexts)
        asked = [ASKED_COLUMN, *(f"{ASKED_COLUMN}.{name}" for name in names)] if self._has_asked else []
        header = [] if self._has_header else [[*FIRST_COLUMNS, *names, *LAST_COLUMNS, *asked]]
        self._file.write(csv_text([*header, *rows]))
        self._has_header = True


class EventsSink(FileSink[SinkOptions]):
    """One JSON document: the run, its events and notices, and how it ended. Rewritten at each event and notice."""

    def __init__(self, options: SinkOptions) -> None:
        super().__init__(options)
        self._events: list[dict[str, Any]] = []
        self._notices: list[dict[str, str]] = []
        self._has_results = False

    def write_timeline(self, timeline: Timeline) -> None:
        """Write the document, without events, after the first timeline: no event is a result too.

        :raises OutputError: when the file cannot be written.
        """
        if not self._has_results:
            self._rewrite()

    def write_event(self, event: Event) -> None:
        """Add an event to the document, with times in seconds and as h:mm:ss.mmm.

        :raises OutputError: when the file cannot be written.
        """
        start_time, stop_time = (time_text(time_s, 3, has_hours=True) for time_s in (event.start_s, event.stop_s))
        self._events.append({**event_fields(event), "start_time": start_time, "stop_time": stop_time})
        self._rewrite()

    def write_notice(self, notice: Notice) -> None:
        """Add a notice to the document.

        :raises OutputError: when the file cannot be written.
        """
        self._notices.append({"video": notice.video, "message": notice.message})
        self._rewrite()

    def end(self, run_end: RunEnd) -> None:
        """Add how the run ended, and give the file its name if it is whole.

        :raises OutputError: when that fails.
        """
        if self._has_results or run_end.is_whole:
            self._rewrite(run_end)
        super().end(run_end)

    def _rewrite(self, run_end: RunEnd | None = None) -> None:
        self._has_results = True
        document = {
            "format": FORMAT,
            "run": self._run,
            "events": self._events,
            "notices": self._notices,
            "end": end_fields(run_end) if run_end and run_end.status != "unfinished" else None,
        }
        self._file.replace(json_text(document, indent=1) + "\n")


def event_fields(event: Event) -> dict[str, Any]:
    """Return the fields of an event, JSON-ready."""
    return {
        "video": event.video,
        "text": event.text,
        "start_s": rounded_number(event.start_s),
        "stop_s": rounded_number(event.stop_s),
        "peak": rounded_number(event.peak),
        "peak_s": rounded_number(event.peak_s),
        "rationale": event.rationale,
    }


def end_fields(run_end: RunEnd) -> dict[str, Any]:
    """Return the fields of the end of a run, JSON-ready."""
    counts = {"segments": run_end.n_segments, "events": run_end.n_events, "notices": run_end.n_notices}
    mass = {} if run_end.mean_mass is None else {"mean_mass": rounded_number(run_end.mean_mass)}
    return {"status": run_end.status, **counts, **mass, **({"error": run_end.error} if run_end.error else {})}
