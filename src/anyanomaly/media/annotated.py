"""The sink of annotated videos: the source with its scores, events and reasons below the picture."""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Full, Queue
from typing import Any, TypeAlias

import numpy as np
from pydantic import Field

from anyanomaly import interrupts
from anyanomaly.api.safe_file import SafeFile, is_standard_output
from anyanomaly.api.sink import RunEnd, Sink, SinkOptions
from anyanomaly.errors import AnyAnomalyError, OutputError, VideoError, first_line
from anyanomaly.evidence import Evidence
from anyanomaly.media.annotated_video import AnnotationSettings, Attention, VideoAnnotator
from anyanomaly.media.names import safe_stem
from anyanomaly.results.run_header import (
    can_skip_questions,
    event_rule,
    event_texts,
    has_several_videos,
    searched_section,
    video_stream,
)
from anyanomaly.types import Event, SegmentScore, Span, Timeline, Video

_LOG = logging.getLogger(__name__)

MAX_WAITING = 4096
"""Results that wait for the thread which draws; then the run waits too. Without pictures they are small."""

PROGRESS_S = 10.0
"""Seconds between two messages about what is left to draw at the end of a run."""

_Message: TypeAlias = Video | SegmentScore | Timeline | Event | Attention | None


class AnnotatedOptions(SinkOptions):
    """Options of annotated videos."""

    attention: bool = Field(
        default=False,
        description="Tint the picture where the position context directs the model, at the peaks of events.",
    )
    max_side: int = Field(default=1280, ge=0, description="Scale larger frames down to this side, in pixels; 0: never.")
    window_s: float = Field(
        default=15.0, ge=1.0, le=3600.0, description="Part of the video that the curve shows, in seconds."
    )


class AnnotatedSink(Sink[AnnotatedOptions]):
    """Writes the source again with a strip below the picture, while the run goes on.

    A thread decodes, draws and encodes up to the last frame of which everything is known. One file per video: of a run
    with several, ``NAME-VIDEO.mp4``. A video whose source is not on this machine is left out, and a message says so.
    """

    def __init__(self, options: AnnotatedOptions) -> None:
        super().__init__(options)
        self.wants_evidence = options.attention
        self._file = SafeFile(options.path)  # keeps other runs from writing it
        self._names: list[str] = []
        self._paths: list[str] = []
        self._has_several = False
        self._settings: AnnotationSettings | None = None
        self._section: Span = (0.0, math.inf)
        self._queue: Queue[_Message] = Queue(MAX_WAITING)
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._failure: Exception | None = None
        self._annotator: VideoAnnotator | None = None

    @property
    def written_paths(self) -> Sequence[str]:
        """One file per video whose source could be read."""
        return tuple(self._paths)

    def load(self) -> None:
        """Check that the file can be written, and keep other runs from writing it.

        :raises OutputError: when it cannot, and for a terminal.
        """
        if is_standard_output(self.options.path) and sys.stdout.isatty():
            raise OutputError(
                "An annotated video cannot be written to the terminal. Name a file, such as -o annotated.mp4."
            )
        self._file.check()

    def begin(self, run: Mapping[str, Any]) -> None:
        """Read the event texts and the rule of events from the description of the run."""
        self._has_several = has_several_videos(run) and not is_standard_output(self.options.path)
        self._section = searched_section(run)
        self._settings = AnnotationSettings(
            texts=event_texts(run),
            rule=event_rule(run),
            stream=video_stream(run),
            max_side=self.options.max_side,
            window_s=self.options.window_s,
            has_unasked=can_skip_questions(run),
        )

    def write_video(self, video: Video) -> None:
        """Begin the annotated video of a source.

        :raises OutputError: for a live video, and when an earlier one could not be written.
        """
        if video.live:
            raise OutputError(
                f"{video.id} is live: an annotated video needs a recording, which is read a second time. "
                f"Record it first, or leave out {self.options.path}."
            )
        self._send(replace(video, section=self._section))  # stored results have it in their settings only

    def write_segment(self, score: SegmentScore) -> None:
        """Keep the reasons of a segment, for events that last for long. :raises OutputError: as `write_video`."""
        self._send(score)

    def write_timeline(self, timeline: Timeline) -> None:
        """Draw the frames up to the end of this piece, in the thread. :raises OutputError: as `write_video`."""
        self._send(timeline)

    def write_evidence(self, evidence: Evidence) -> None:
        """Keep the attention of a segment. :raises OutputError: as `write_video`."""
        for exchange in evidence.exchanges if self.options.attention else ():
            weights = exchange.views.get("attention")
            if weights is not None:
                weights = np.clip(np.nan_to_num(weights), 0, 1).astype(np.float32)
                self._send(Attention(evidence.text, evidence.start_s, evidence.stop_s, weights))
                return

    def write_event(self, event: Event) -> None:
        """Draw the frames up to the end of an event, in the thread. :raises OutputError: as `write_video`."""
        self._send(event)

    def end(self, run_end: RunEnd) -> None:
        """Draw what is left, if it is whole; otherwise end the file as it is.

        :raises OutputError: when a file could not be written.
        """
        if not run_end.is_whole:
            self._stopped.set()
        self._join()
        self._raise_failure()

    def close(self) -> None:
        """End files without an end as they are."""
        self._stopped.set()
        self._join()
        self._file.close(complete=False)

    def _send(self, message: _Message) -> None:
        """Give a result to the thread; wait while too many are there.

        :raises OutputError: when the thread has failed.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="anyanomaly-annotated", daemon=True)
            self._thread.start()
        self._raise_failure()
        while self._thread.is_alive():
            try:
                self._queue.put(message, timeout=0.2)
            except Full:
                self._raise_failure()
                if interrupts.received():
                    self._stopped.set()  # then the thread takes what is there without drawing it
            else:
                return

    def _join(self) -> None:
        """Wait for the thread, and say how far it is; a signal stops it."""
        if self._thread is None:
            return
        if self._failure is None:
            self._send(None)  # the end
        begin_s = time.monotonic()
        while self._thread.is_alive():
            self._thread.join(0.1)
            if interrupts.received():
                self._stopped.set()
            annotator = self._annotator
            if time.monotonic() - begin_s > PROGRESS_S and annotator and not self._stopped.is_set():
                begin_s = time.monotonic()
                _LOG.warning("%s is being finished: it is drawn up to %.0f s.", annotator.path, annotator.next_s)
        self._thread = None

    def _raise_failure(self) -> None:
        """:raises OutputError: when the thread has failed."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _work(self) -> None:
        """Draw until the end of the run; keep the error for the run."""
        try:
            self._draw()
        except AnyAnomalyError as error:
            self._failure = error if isinstance(error, OutputError) else OutputError(str(error))
        except Exception as error:
            self._failure = OutputError(f"Cannot continue writing {self.options.path}: {first_line(error)}.")
            self._failure.__cause__ = error

    def _draw(self) -> None:
        annotator: VideoAnnotator | None = None
        try:
            while (message := self._queue.get()) is not None:
                if isinstance(message, Video):
                    finished, annotator = annotator, None
                    self._finish(finished)
                    annotator = self._annotator = None if self._stopped.is_set() else self._open(message)
                elif annotator:
                    annotator.add(message)
                    if not isinstance(message, SegmentScore):
                        annotator.advance(self._stopped.is_set)
            finished, annotator = annotator, None
            self._finish(finished)
        finally:
            if annotator:
                annotator.stop()

    def _finish(self, annotator: VideoAnnotator | None) -> None:
        if annotator is not None:
            if self._stopped.is_set():
                annotator.stop()
            else:
                annotator.finish(self._stopped.is_set)

    def _open(self, video: Video) -> VideoAnnotator | None:
        """Return the annotator of a video; None when its source cannot be read."""
        assert self._settings is not None  # begin comes first
        path = self._path(video)
        if path == self.options.path:
            self._file.close(complete=False)  # the annotator opens it again
        try:
            annotator = VideoAnnotator(video, path, self._settings)
        except VideoError as error:
            _LOG.warning("There is no annotated video of %s: %s", video.id, error)
            return None
        self._paths.append(path)
        return annotator

    def _path(self, video: Video) -> str:
        """Return the path of the annotated video of a source."""
        if not self._has_several and not self._names:
            self._names.append("")
            return self.options.path
        self._names.append(safe_stem(video.id, self._names))
        path = Path(self.options.path)
        return str(path.with_name(f"{path.stem}-{self._names[-1]}{path.suffix}"))
