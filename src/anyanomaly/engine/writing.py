"""From scores in planned order to the outcomes of a run, which are counted and written to the sinks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from anyanomaly import interrupts
from anyanomaly.engine.collect import CollectedScore
from anyanomaly.engine.evidence import EvidenceBook
from anyanomaly.engine.outputs import Outputs
from anyanomaly.engine.planned import VideoEnd
from anyanomaly.engine.run_report import RunReport
from anyanomaly.engine.settings import RunSettings
from anyanomaly.engine.stored_runs import Recorder
from anyanomaly.engine.track import Tracker
from anyanomaly.evidence import Evidence
from anyanomaly.types import Event, Notice, SegmentScore, Timeline, Video

Outcome: TypeAlias = SegmentScore | Timeline | Evidence | Event


class OutcomeWriter:
    """Makes timelines, events and evidence of scores, and writes all of them to the sinks."""

    def __init__(
        self,
        settings: RunSettings,
        outputs: Outputs,
        evidence: EvidenceBook,
        report: RunReport,
        recorder: Recorder | None = None,
    ) -> None:
        """:param recorder: stores the scores for later runs; None: nothing does."""
        self._settings = settings
        self._outputs = outputs
        self._evidence = evidence
        self._report = report
        self._recorder = recorder
        self._trackers: dict[str, Tracker] = {}
        self._output_errors: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        self.n_whole_frames, self.video_s = 0, 0.0

    def track(self, items: Iterable[CollectedScore | VideoEnd]) -> Iterator[Outcome]:
        """Write what the next items complete to the sinks, then yield it.

        :raises OutputError: when a sink cannot write.
        """
        for item in items:
            with interrupts.Deferred():  # a signal must not part what was computed from what was written
                outcomes = self._end_video(item) if isinstance(item, VideoEnd) else self._add_score(item.score)
            yield from outcomes

    def forget_videos(self) -> None:
        """Drop what is open: the caller repeats the videos that are not finished."""
        self._trackers.clear()
        self._close_recorder()

    def _close_recorder(self) -> None:
        if self._recorder:
            self._recorder.close()

    def finish_early(self, items: Iterable[CollectedScore | VideoEnd]) -> None:
        """Write the last items, then the results so far of videos that the run did not finish."""
        self._output_errors = contextlib.suppress(Exception)  # the run already ends with one; the other sinks go on
        self._close_recorder()  # what comes now may lack answers
        for _ in self.track(items):
            pass
        for tracker in self._trackers.values():
            self._write(tracker.finish())

    def _add_score(self, score: SegmentScore) -> Sequence[Outcome]:
        tracker = self._trackers.get(score.video.id)
        if is_first := tracker is None:
            tracker = self._trackers[score.video.id] = Tracker(score.video, self._settings)
        n_frames = score.stop - score.start
        self._report.n_pairs += 1
        self._report.n_unasked += not score.asked
        if score.text == self._settings.texts_of(score.video)[0]:
            self._report.n_segments += 1
            self._report.n_frames += n_frames
            self.video_s += n_frames / score.video.fps
            if n_frames == self._settings.segment_length(score.video):
                self.n_whole_frames += n_frames
        draft = self._evidence.take(score)
        if self._recorder:
            self._recorder.add(score, draft)
        outcomes = [score, *tracker.push(score, draft)]
        self._write([score.video, *outcomes] if is_first else outcomes)
        return outcomes

    def _end_video(self, end: VideoEnd) -> Sequence[Outcome]:
        problems = [Notice(end.video.id, end.problem)] if end.problem else []
        self._report.problems += problems
        self._report.notices += end.notices
        self._report.finished_videos.append(end.video.id)
        if self._recorder:
            self._recorder.end(end)
        tracker = self._trackers.pop(end.video.id, None)
        if tracker is None:
            self._outputs.hold_notices((*end.notices, *problems))
            return []
        outcomes = tracker.finish()
        self._write(outcomes)
        with self._output_errors:
            self._outputs.write_notices((*end.notices, *problems))
        return outcomes

    def _write(self, results: Iterable[Video | Outcome]) -> None:
        """Write results to the sinks; those that follow an error too, because other sinks can write them."""
        first_error: Exception | None = None
        for result in results:
            self._report.n_events += isinstance(result, Event)
            try:
                self._outputs.write(result)
            except Exception as error:
                first_error = first_error or error
        if first_error:
            with self._output_errors:
                raise first_error
