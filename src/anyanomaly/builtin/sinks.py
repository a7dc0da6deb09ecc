"""Result files: JSON lines, CSV, events. The same results give the same bytes."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from typing import Any

from anyanomaly.api.safe_file import SafeFile
from anyanomaly.api.sink import Sink, SinkOptions
from anyanomaly.types import Event, Score, SegmentScore, Timeline


class _FileSink(Sink[SinkOptions]):
    """A sink with one file, opened when the first result comes."""

    def __init__(self, options: SinkOptions) -> None:
        super().__init__(options)
        self._file = SafeFile(options.path)
        self._run: Mapping[str, Any] = {}

    def load(self) -> None:
        """:raises OutputError: when the place cannot be written to."""
        self._file.check()

    def begin(self, run: Mapping[str, Any]) -> None:
        """Keep the description of the run until there is something to write."""
        self._run = run

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class JsonLinesSink(_FileSink):
    """A line for the run, then one per segment and text, and per event; readable after a crash."""

    _begun = False

    def write_segment(self, score: SegmentScore) -> None:
        """Write the fused value, and each context's value and answer in the model's words."""
        self._line(
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
                "scores": {name: _score(each) for name, each in score.scores.items()},
            }
        )

    def write_event(self, event: Event) -> None:
        """Write its times, peak and reason."""
        self._line({"type": "event", **event_fields(event)})

    def _line(self, fields: Mapping[str, Any]) -> None:
        if not self._begun:
            self._begun = True
            self._line({"type": "run", **self._run})
        self._file.write(json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n")


class CsvSink(_FileSink):
    """One row per frame and text: video, frame, time_s, text, one column per context, raw, score.

    A missing score is an empty field. Texts stand as they are: a spreadsheet may take one that begins with
    ``=`` for a formula.
    """

    _begun = False

    def write_timeline(self, timeline: Timeline) -> None:
        """Write the rows of a timeline, or of a piece of one."""
        rows = io.StringIO()
        writer = csv.writer(rows, lineterminator="\n")
        if not self._begun:
            self._begun = True
            writer.writerow(["video", "frame", "time_s", "text", *timeline.contexts, "raw", "score"])
        series = [*timeline.contexts.values(), timeline.raw, timeline.smooth]
        for at, time_s in enumerate(timeline.times_s):
            values = ("" if math.isnan(each[at]) else _number(float(each[at])) for each in series)
            writer.writerow([timeline.video.id, timeline.start + at, _number(float(time_s)), timeline.text, *values])
        self._file.write(rows.getvalue())


class EventsSink(_FileSink):
    """One JSON document: the run and its events. Rewritten at each event, so that it is always whole."""

    def __init__(self, options: SinkOptions) -> None:
        super().__init__(options)
        self._events: list[dict[str, Any]] = []
        self._any = False

    def write_timeline(self, timeline: Timeline) -> None:
        """A timeline without an event is a result too: write the document, once."""
        if not self._any:
            self._rewrite()

    def write_event(self, event: Event) -> None:
        """Add an event, its times in seconds and as h:mm:ss.mmm."""
        times = {"start_time": clock(event.start_s), "stop_time": clock(event.stop_s)}
        self._events.append({**event_fields(event), **times})
        self._rewrite()

    def _rewrite(self) -> None:
        self._any = True
        if self.options.path != "-":
            self._file.replace(self._document())

    def close(self) -> None:
        """Finish the file; standard output, which cannot be rewritten, gets the document now."""
        if self._any and self.options.path == "-":
            self._file.write(self._document())
            self._any = False
        super().close()

    def _document(self) -> str:
        document = {"run": self._run, "events": self._events}
        return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def event_fields(event: Event) -> dict[str, Any]:
    """Return an event as JSON has it."""
    return {
        "video": event.video,
        "text": event.text,
        "start_s": _number(event.start_s),
        "stop_s": _number(event.stop_s),
        "peak": _number(event.peak),
        "peak_s": _number(event.peak_s),
        "rationale": event.rationale,
    }


def clock(time_s: float) -> str:
    """Return seconds as h:mm:ss.mmm."""
    milliseconds = round(time_s * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"


def _score(score: Score) -> dict[str, Any]:
    mass = {} if score.mass is None else {"mass": _number(score.mass)}
    return {"value": _number(score.value), **mass, "answer": score.rationale}


def _number(value: float) -> float | None:
    """Round to what a result means; missing is null."""
    return None if math.isnan(value) else round(value, 6)
