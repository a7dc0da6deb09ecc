"""The sink that cuts a clip per event."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from anyanomaly.api.file_lock import locked_folder
from anyanomaly.api.safe_file import STDOUT
from anyanomaly.api.sink import RunEnd, Sink
from anyanomaly.core.labels import true_stretches
from anyanomaly.errors import OutputError
from anyanomaly.evidence import Evidence
from anyanomaly.media.clip_cutter import ClipCutter
from anyanomaly.media.clip_folder import ClipFolder
from anyanomaly.media.clip_options import ClipsOptions
from anyanomaly.types import Event, Span, Timeline, Video

_MAX_SPANS = 4096
"""Parts that were not asked about, which are kept of a video and event text."""
_MAX_WAITING = 8
"""Clips that wait for their turn; then the run waits too, so that memory is bounded."""


class ClipsSink(Sink[ClipsOptions]):
    """Cuts a clip per event into a folder, with a thumbnail and a JSON file, while the run continues.

    A complete run replaces the clips of an earlier run in this folder; other files there stay as they are.
    """

    wants_evidence = True

    def __init__(self, options: ClipsOptions) -> None:
        super().__init__(options)
        self._stack = ExitStack()
        self._folder: ClipFolder | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._clips: deque[Future[None]] = deque()
        self._cutter: ClipCutter | None = None
        self._videos: dict[str, Video] = {}
        self._evidence: dict[str, Evidence] = {}  # the last one of each event text
        self._unasked: dict[tuple[str, str], list[Span]] = {}  # of the last minutes, by video and event text
        self._n_clips = 0

    def load(self) -> None:
        """Make the folder, and keep other runs from writing to it.

        :raises OutputError: when it cannot be used.
        """
        if self.options.path == STDOUT:
            raise OutputError("Clips are files and cannot go to standard output. Name a folder: --clips DIR")
        path = Path(self.options.path)
        self._stack.enter_context(locked_folder(path))
        self._folder = ClipFolder(path)
        self._cutter = ClipCutter(self._folder, self.options)
        self._thread = self._stack.enter_context(ThreadPoolExecutor(1, "clips"))

    def begin(self, run: Mapping[str, Any]) -> None:
        """Keep the description of the run for the JSON files."""
        if self._cutter:
            self._cutter.run = run

    def write_video(self, video: Video) -> None:
        """Keep where the video is."""
        if not video.live:  # of recordings, one comes after the other
            self._videos.clear()
            self._unasked.clear()
        self._videos[video.id] = video
        self._evidence.clear()

    def write_timeline(self, timeline: Timeline) -> None:
        """Keep which parts were not asked about, for the JSON file of the event that they may belong to."""
        spans = self._unasked.setdefault((timeline.video.id, timeline.text), [])
        ends_s = np.append(timeline.times_s[1:], timeline.times_s[-1] + 1 / timeline.video.fps)
        for start, stop in true_stretches(~timeline.asked):
            start_s, stop_s = float(timeline.times_s[start]), float(ends_s[stop - 1])
            if spans and start_s - spans[-1][1] < 0.01 * (stop_s - start_s):
                spans[-1] = (spans[-1][0], stop_s)
            else:
                spans.append((start_s, stop_s))
        del spans[:-_MAX_SPANS]

    def write_evidence(self, evidence: Evidence) -> None:
        """Keep the key frame for the thumbnail of the event that follows."""
        self._evidence[evidence.text] = evidence

    def write_event(self, event: Event) -> None:
        """Cut the clip of an event, on another thread.

        :raises OutputError: when this clip or an earlier one cannot be written.
        """
        assert self._thread is not None  # load makes both
        assert self._cutter is not None
        while self._clips and (self._clips[0].done() or len(self._clips) >= _MAX_WAITING):
            self._clips.popleft().result()
        self._n_clips += 1
        evidence = self._evidence.get(event.text)
        is_of_peak = evidence and evidence.video == event.video and evidence.start_s <= event.peak_s < evidence.stop_s
        picture = evidence.key_frame.jpeg if evidence and is_of_peak else b""
        video = self._videos.get(event.video) or Video(event.video, "", 25.0, None, 0, 0)
        unasked = [
            (round(max(start_s, event.start_s), 6), round(min(stop_s, event.stop_s), 6))
            for start_s, stop_s in self._unasked.get((event.video, event.text), ())
            if start_s < event.stop_s and event.start_s < stop_s
        ]
        self._clips.append(self._thread.submit(self._cutter.cut, self._n_clips, event, video, picture, unasked))

    def end(self, run_end: RunEnd) -> None:
        """Wait for the last clips; after a complete run, remove those of earlier runs.

        An interrupted run must end at once: it finishes the clip in work, and leaves out those that wait.

        :raises OutputError: when a clip cannot be written, or an old one cannot be removed.
        """
        while self._clips and (run_end.is_whole or run_end.status == "failed"):
            self._clips.popleft().result()
        if self._folder and run_end.is_whole:
            self._folder.remove_old()

    def close(self) -> None:
        """Finish the clip in work, and let other runs write to the folder."""
        while self._clips:
            self._clips.popleft().cancel()
        self._stack.close()
