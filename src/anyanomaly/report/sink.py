"""The sink that writes the HTML report."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from pydantic import Field

from anyanomaly.api.safe_file import SafeFile
from anyanomaly.api.sink import RunEnd, Sink, SinkOptions
from anyanomaly.evidence import Evidence, Truth
from anyanomaly.report.player import MAX_COPY_S, Player, VideoMode, convert, make_player
from anyanomaly.report.results import RunResults
from anyanomaly.types import Event, Notice, SegmentScore, Timeline, Video

_REFRESH_S = 10.0  # least time between two versions of the partial report
_REFRESH_COST = 20  # times the computing time of a version; so the versions cost 5 % of the run at most


class HtmlReportOptions(SinkOptions):
    """Options of the HTML report."""

    video: VideoMode = Field(
        default="link",
        description="Player: link to the video file, embed the file, embed a small copy, or none. A short video that "
        "browsers cannot play gets a copy in any case. Embedded videos add to max_mb.",
    )
    max_mb: float = Field(
        default=18.0,
        ge=3,
        le=500,
        description="Size of the report in MB, about; the highest events keep their pictures.",
    )
    embed_max_mb: float = Field(
        default=100.0, gt=0, le=500, description="Largest video file to embed in MB; a larger one is linked."
    )


class HtmlReportSink(Sink[HtmlReportOptions]):
    """One HTML file: timelines, events with what the model saw and said, and a player. It makes no request.

    While the run goes on, the partial file has the report so far.
    """

    wants_evidence = True

    def __init__(self, options: HtmlReportOptions) -> None:
        super().__init__(options)
        self._file = SafeFile(options.path)
        self._results = RunResults()
        self._players: dict[str, Player] = {}
        self._next_refresh_s = 0.0  # on the monotonic clock
        self._has_events = False

    def load(self) -> None:
        """Check that the file can be written, and keep other runs from writing it.

        :raises OutputError: when it cannot.
        """
        self._file.check()

    def begin(self, run: Mapping[str, Any]) -> None:
        """Keep the description of the run, and import what draws the page while the run waits for its first answers."""
        self._results.header = run
        threading.Thread(target=_import_page, daemon=True).start()

    def write_video(self, video: Video) -> None:
        """Add a video, with its player."""
        self._add_video(video)

    def write_segment(self, score: SegmentScore) -> None:
        """Add the scores of a segment.

        :raises OutputError: when the partial report cannot be written.
        """
        self._add_video(score.video)
        self._results.add_segment(score)

    def write_timeline(self, timeline: Timeline) -> None:
        """Add a piece of a curve, and write the report so far when it is time.

        :raises OutputError: when that fails.
        """
        self._add_video(timeline.video)
        self._results.add_timeline(timeline)
        self._refresh()

    def write_evidence(self, evidence: Evidence) -> None:
        """Keep what the model saw and answered, on disk.

        :raises OutputError: when that fails.
        """
        self._results.add_evidence(evidence)

    def write_event(self, event: Event) -> None:
        """Add an event, and write the report so far when it is time.

        :raises OutputError: when that fails.
        """
        self._results.add_event(event)
        self._refresh(is_due=not self._has_events)
        self._has_events = True

    def write_truth(self, truth: Truth) -> None:
        """Add the ground truth of a video and text."""
        self._results.add_truth(truth)

    def write_notice(self, notice: Notice) -> None:
        """Add a notice."""
        self._results.add_notice(notice)

    def end(self, run_end: RunEnd) -> None:
        """Write the report, and give the file its name if it is whole.

        :raises OutputError: when that fails.
        """
        if run_end.is_whole or self._results.videos:
            self._convert_videos()
            self._write(run_end)
        self._file.close(complete=run_end.is_whole)

    def close(self) -> None:
        """Leave a report without an end in the partial file."""
        self._file.close(complete=False)
        self._results.spool.close()

    def _add_video(self, video: Video) -> None:
        if video.id not in self._players:
            self._results.add_video(video)
            options = self.options
            self._players[video.id] = make_player(video, options.path, options.video, options.embed_max_mb)

    def _convert_videos(self) -> None:
        """Give videos that browsers cannot play a copy, where that was asked for or is quick."""
        for video_id, player in self._players.items():
            results = self._results.videos[video_id]
            is_wanted = self.options.video == "convert" or results.stop_s <= MAX_COPY_S
            if player.is_convertible and is_wanted:
                self._players[video_id] = convert(
                    results.video, self._results.header, self.options.embed_max_mb
                ) or replace(player, reason=player.reason or "No player: the video cannot be converted.")

    def _refresh(self, *, is_due: bool = False) -> None:
        """Write the report so far, if that is due or enough time has passed."""
        if is_due or time.monotonic() >= self._next_refresh_s:
            start_s = time.thread_time()  # waiting for other processes costs the run nothing
            self._write(None)
            cost_s = time.thread_time() - start_s
            self._next_refresh_s = time.monotonic() + max(_REFRESH_S, _REFRESH_COST * cost_s)

    def _write(self, run_end: RunEnd | None) -> None:
        from anyanomaly.report.page import build_page  # imports Bokeh and the templates

        self._file.replace(build_page(self._results, self._players, run_end, int(self.options.max_mb * 1e6)))


def _import_page() -> None:
    """Import what draws the page, which takes most of a second."""
    for name in ("anyanomaly.report.page", "bokeh.embed", "bokeh.plotting", "bokeh.resources"):
        import_module(name)
