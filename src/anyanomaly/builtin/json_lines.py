"""Results as JSON lines: everything that a report needs, and all that another format is made of."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from anyanomaly.api.safe_file import is_standard_output
from anyanomaly.api.sink import RunEnd, SinkOptions
from anyanomaly.builtin.sink_options import JsonLinesOptions
from anyanomaly.builtin.sinks import FileSink, S, end_fields, event_fields
from anyanomaly.errors import OutputError
from anyanomaly.evidence import Evidence, Truth
from anyanomaly.masking import mask_url
from anyanomaly.outside_text import json_text, storable_text
from anyanomaly.results.evidence_records import evidence_fields
from anyanomaly.results.fields import exact_number, rounded_number
from anyanomaly.results.frame_times import uneven_times
from anyanomaly.results.gzip_lines import LineCompressor
from anyanomaly.results.parquet import require_pyarrow, write_parquet
from anyanomaly.results.records import FORMAT
from anyanomaly.types import Event, Notice, Score, SegmentScore, Video


class LinesSink(FileSink[S]):
    """One JSON line for the run, and one for each video, segment and text, evidence, event, truth, notice and its end.

    Scores and times of frames are exact, so that all other outputs can be made of the file.
    """

    def __init__(self, options: S, *, is_packed: bool) -> None:
        """:param is_packed: whether the lines are compressed."""
        super().__init__(options)
        self._compressor = LineCompressor() if is_packed else None
        self._has_results = False
        self._has_ended = False
        self._first_lines = ""  # run and videos, which are written with the first result

    def begin(self, run: Mapping[str, Any]) -> None:
        """Keep the description of the run until the first result is written."""
        self._first_lines = result_line("run", {"format": FORMAT, **run})

    def write_video(self, video: Video) -> None:
        """Write the video, with secrets in its address masked.

        :raises OutputError: when the file cannot be written.
        """
        line = result_line("video", video_fields(video))
        if self._has_results:
            self._write_text(line)
        else:
            self._first_lines += line

    def write_segment(self, score: SegmentScore) -> None:
        """Write the fused value, per context the value and the model's words, and which frames were shown.

        :raises OutputError: when the file cannot be written.
        """
        self._write("segment", segment_fields(score))

    def write_evidence(self, evidence: Evidence) -> None:
        """Write what the model saw and answered.

        :raises OutputError: when the file cannot be written.
        """
        if self.wants_evidence:
            self._write("evidence", evidence_fields(evidence))

    def write_event(self, event: Event) -> None:
        """Write the event's times, peak and reason.

        :raises OutputError: when the file cannot be written.
        """
        self._write("event", event_fields(event))

    def write_truth(self, truth: Truth) -> None:
        """Write the ground truth of a video and event text.

        :raises OutputError: when the file cannot be written.
        """
        self._write("truth", {"video": truth.video, "text": truth.text, "spans": truth.spans})

    def write_notice(self, notice: Notice) -> None:
        """Write the notice.

        :raises OutputError: when the file cannot be written.
        """
        self._write("notice", {"video": notice.video, "message": notice.message})

    def end(self, run_end: RunEnd) -> None:
        """Write how the run ended, and give the file its name if it is whole.

        :raises OutputError: when that fails.
        """
        if run_end.status != "unfinished" and (self._has_results or run_end.is_whole):
            self._write("end", end_fields(run_end))
        elif run_end.is_whole and not self._has_results:
            self._write_text(self._first_lines)
            self._has_results = True
        self._finish()
        if run_end.is_whole:
            self._complete()
        super().end(run_end)

    def close(self) -> None:
        """Leave results without an end in the partial file."""
        with contextlib.suppress(OutputError):  # the writing failed before
            self._finish()
        super().close()

    def _write(self, kind: str, fields: Mapping[str, Any]) -> None:
        self._write_text(self._first_lines + result_line(kind, fields), flush=kind != "segment")
        self._first_lines, self._has_results = "", True

    def _write_text(self, text: str, *, flush: bool = False) -> None:
        if self._compressor is None:
            self._file.write(text)
        elif data := self._compressor.add(storable_text(text).encode(), flush=flush):
            self._file.write(data)

    def _complete(self) -> None:
        """Change the file into its last format, when all lines are written."""

    def _finish(self) -> None:
        if self._compressor and self._has_results and not self._has_ended:
            self._has_ended = True
            self._file.write(self._compressor.finish())


class JsonLinesSink(LinesSink[JsonLinesOptions]):
    """JSON lines; compressed where the name ends in ``.gz``."""

    def __init__(self, options: JsonLinesOptions) -> None:
        super().__init__(options, is_packed=options.path.lower().endswith(".gz"))
        self.wants_evidence = options.evidence


class ParquetSink(LinesSink[SinkOptions]):
    """A table with a row per segment and text. Until the run is complete, the file has compressed JSON lines."""

    def __init__(self, options: SinkOptions) -> None:
        super().__init__(options, is_packed=True)

    def load(self) -> None:
        """Check that the file can be written, and keep other runs from writing it.

        :raises OutputError: when it cannot, or is no file on disk. :raises MissingRequirement: without pyarrow.
        """
        require_pyarrow()
        path = self.options.path
        if is_standard_output(path) or (os.path.exists(path) and not os.path.isfile(path)):
            raise OutputError(f"Cannot write {path}: Parquet needs a file, which is made when the run ends. Name one.")
        super().load()

    def _complete(self) -> None:
        self._file.rebuild(write_parquet)


def result_line(kind: str, fields: Mapping[str, Any]) -> str:
    """Return a record as a line of JSON, with its end."""
    return f"{json_text({'type': kind, **fields})}\n"


def video_fields(video: Video) -> dict[str, Any]:
    """Return the fields of a video, JSON-ready."""
    return {
        "video": video.id,
        "uri": mask_url(video.uri),
        "fps": video.fps,
        "n_frames": video.n_frames,
        "width": video.width,
        "height": video.height,
        "live": video.live,
    }


def segment_fields(score: SegmentScore) -> dict[str, Any]:
    """Return the fields of a segment's scores, JSON-ready."""
    times = uneven_times(score.times_s, score.start, score.video.fps)
    return {
        "video": score.video.id,
        "segment": score.segment,
        "start": score.start,
        "stop": score.stop,
        "start_s": rounded_number(float(score.times_s[0])),
        "stop_s": rounded_number(float(score.times_s[-1]) + 1 / score.video.fps),
        "text": score.text,
        "value": rounded_number(score.value),
        **({} if score.asked else {"asked": False}),
        **({"priorities": dict(score.priorities)} if score.priorities else {}),
        "scores": {name: _score_fields(context_score) for name, context_score in score.scores.items()},
        **({} if score.key_frame is None else {"key_frame": score.key_frame}),
        **({"sequence": score.sequence} if score.sequence else {}),
        **({"times": times} if times else {}),
    }


def _score_fields(score: Score) -> dict[str, Any]:
    mass = {} if score.mass is None else {"mass": rounded_number(score.mass)}
    asked = {} if score.asked else {"asked": False}
    return {"value": exact_number(score.value), **mass, **asked, "answer": score.answer}
