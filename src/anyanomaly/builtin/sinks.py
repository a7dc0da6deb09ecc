"""Result files: JSON lines, CSV, events. The same results give the same bytes."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from typing import Any

from anyanomaly.api.safe_file import SafeFile
from anyanomaly.api.sink import Sink, SinkOptions
from anyanomaly.outside_text import json_text
from anyanomaly.types import Event, Notice, Score, SegmentScore, Timeline


class _FileSink(Sink[SinkOptions]):
    """A sink that writes one file, which it opens at the first result."""

    def __init__(self, options: SinkOptions) -> None:
        super().__init__(options)
        self._file = SafeFile(options.path)
        self._run: Mapping[str, Any] = {}

    def load(self) -> None:
        """Check that the file can be written.

        :raises OutputError: when it cannot.
        """
        self._file.check()

    def begin(self, run: Mapping[str, Any]) -> None:
        """Keep the description of the run until the first result is written."""
        self._run = run

    def close(self) -> None:
        """Rename the file to its final name.

        :raises OutputError: when that fails.
        """
        self._file.close()


class JsonLinesSink(_FileSink):
    """One JSON line for the run, one per segment and text, per event and per notice; readable after a crash."""

    _has_run_line = False

    def write_segment(self, score: SegmentScore) -> None:
        """Write the fused value, and per context the value and the model's words.

        :raises OutputError: when the file cannot be written.
        """
        self._write_line(
            {
                "type": "segment",
                "video": score.video.id,
                "segment": score.segment,
                "start": score.start,
                "stop": score.stop,
                "start_s": _number(float(score.times_s[0])),
                "stop_s": _number(float(score.times_s[-1]) + 1 / score.video.fps),
                "text": score.text,
                "value": _number(score.value),
                "scores": {name: _score_fields(context_score) for name, context_score in score.scores.items()},
            }
        )

    def write_event(self, event: Event) -> None:
        """Write the event's times, peak and reason.

        :raises OutputError: when the file cannot be written.
        """
        self._write_line({"type": "event", **event_fields(event)})

    def write_notice(self, notice: Notice) -> None:
        """Write the notice.

        :raises OutputError: when the file cannot be written.
        """
        self._write_line({"type": "notice", "video": notice.video, "message": notice.message})

    def _write_line(self, fields: Mapping[str, Any]) -> None:
        if not self._has_run_line:
            self._has_run_line = True
            self._write_line({"type": "run", **self._run})
        self._file.write(json_text(fields) + "\n")


class CsvSink(_FileSink):
    """One row per frame and text: video, frame, time_s, text, one column per context, raw, score.

    A missing score is an empty field. Texts are not escaped: a spreadsheet may read one that begins with ``=`` as a
    formula.
    """

    _has_header = False

    def write_timeline(self, timeline: Timeline) -> None:
        """Write the rows of a timeline, or of a piece of one.

        :raises OutputError: when the file cannot be written.
        """
        rows = io.StringIO()
        writer = csv.writer(rows, lineterminator="\n")
        if not self._has_header:
            self._has_header = True
            writer.writerow(["video", "frame", "time_s", "text", *timeline.contexts, "raw", "score"])
        series = [*timeline.contexts.values(), timeline.raw, timeline.smooth]
        for row, (time_s, *scores) in enumerate(zip(timeline.times_s, *series, strict=True)):
            values = ("" if math.isnan(score) else _number(float(score)) for score in scores)
            writer.writerow([timeline.video.id, timeline.start + row, _number(float(time_s)), timeline.text, *values])
        self._file.write(rows.getvalue())


class EventsSink(_FileSink):
    """One JSON document: the run, its events and notices. Rewritten at each event, so that it is always complete."""

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
        times = {"start_time": format_time(event.start_s), "stop_time": format_time(event.stop_s)}
        self._events.append({**event_fields(event), **times})
        self._rewrite()

    def write_notice(self, notice: Notice) -> None:
        """Add a notice to the document.

        :raises OutputError: when the file cannot be written.
        """
        self._notices.append({"video": notice.video, "message": notice.message})
        self._rewrite()

    def _rewrite(self) -> None:
        self._has_results = True
        if self.options.path != "-":
            self._file.replace(self._document())

    def close(self) -> None:
        """Rename the file to its final name; write the document to standard output, which cannot be rewritten.

        :raises OutputError: when that fails.
        """
        if self._has_results and self.options.path == "-":
            self._file.write(self._document())
            self._has_results = False
        super().close()

    def _document(self) -> str:
        document = {"run": self._run, "events": self._events, "notices": self._notices}
        return json_text(document, indent=1) + "\n"


def event_fields(event: Event) -> dict[str, Any]:
    """Return the fields of an event, JSON-ready."""
    return {
        "video": event.video,
        "text": event.text,
        "start_s": _number(event.start_s),
        "stop_s": _number(event.stop_s),
        "peak": _number(event.peak),
        "peak_s": _number(event.peak_s),
        "rationale": event.rationale,
    }


def format_time(time_s: float) -> str:
    """Return seconds as h:mm:ss.mmm."""
    milliseconds = round(time_s * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"


def _score_fields(score: Score) -> dict[str, Any]:
    mass = {} if score.mass is None else {"mass": _number(score.mass)}
    return {"value": _number(score.value), **mass, "answer": score.answer}


def _number(value: float) -> float | None:
    """Return a number rounded to six decimals; None, in JSON null, for NaN."""
    return None if math.isnan(value) else round(value, 6)
