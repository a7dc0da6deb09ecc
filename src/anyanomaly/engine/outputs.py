"""The sinks of a run: when they begin and end, and which results they get."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from anyanomaly import interrupts
from anyanomaly.api.sink import RunEnd, RunStatus, Sink, SinkOptions
from anyanomaly.evidence import Evidence, Truth
from anyanomaly.types import Event, Notice, SegmentScore, Timeline, Video

LoadedSink = Sink[SinkOptions]
Result: TypeAlias = Video | SegmentScore | Timeline | Evidence | Event | Truth


class Outputs:
    """Writes results to sinks. A sink that fails gets no further results, so that the others still get all of them.

    A run may go over its videos in several parts, and repeat one that failed: each result is written once.
    """

    def __init__(self, sinks: Sequence[LoadedSink]) -> None:
        self._sinks = list(sinks)
        self._has_begun = False
        self._is_cut_short = False
        self._written: dict[tuple[str, ...], float] = {}  # how far each kind of result of a video and text is written
        self._n_segments, self._n_events, self._n_notices = 0, 0, 0
        self._n_masses, self._sum_of_masses = 0, 0.0
        self._held_notices: list[Notice] = []  # about videos without a segment

    @property
    def want_evidence(self) -> bool:
        """Whether any sink needs evidence."""
        return any(sink.wants_evidence for sink in self._sinks)

    def begin(self, header: Mapping[str, Any]) -> None:
        """Describe the run to the sinks, once.

        :raises OutputError: when one cannot write.
        """
        if not self._has_begun:
            self._has_begun = True
            self._for_each(lambda sink: sink.begin(header))

    def cut_short(self) -> None:
        """Remember that the run was left before its end."""
        self._is_cut_short = True

    def write(self, outcome: Result) -> None:
        """Write a result, unless it is of a part that was written before.

        :raises OutputError: when a sink cannot write.
        """
        if not self._is_new(outcome):
            return
        match outcome:
            case Video():
                self._for_each(lambda sink: sink.write_video(outcome))
            case SegmentScore():
                self._count_segment(outcome)
                self._for_each(lambda sink: sink.write_segment(outcome))
            case Timeline():
                self._for_each(lambda sink: sink.write_timeline(outcome))
            case Evidence():
                self._for_each(lambda sink: sink.write_evidence(outcome))
            case Event():
                self._n_events += 1
                self._for_each(lambda sink: sink.write_event(outcome))
            case Truth():
                self._for_each(lambda sink: sink.write_truth(outcome))

    def write_notices(self, notices: Iterable[Notice]) -> None:
        """Write what was unusual about videos, or could not be read of them.

        :raises OutputError: when a sink cannot write.
        """
        for notice in notices:
            self._n_notices += 1
            self._for_each(functools.partial(_write_notice, notice))

    def hold_notices(self, notices: Iterable[Notice]) -> None:
        """Keep notices about a video without a segment until the end: a failed run without results writes nothing."""
        self._held_notices += notices

    def end(self, error: BaseException | None, unopened: Sequence[Notice], speed: str = "") -> None:
        """Tell the sinks how the run ended; nothing, if it did not begin.

        :param error: that ended it; None: nothing did. :param unopened: a notice for each video that cannot be opened.
        :param speed: how fast the run was; empty: unknown.
        :raises OutputError: when a sink cannot write, and no error ended the run.
        """
        if not self._has_begun:
            return
        failure: Exception | None = None
        if self._n_segments or _status(error, self._is_cut_short) == "complete":
            try:
                self.write_notices((*self._held_notices, *unopened))
            except Exception as output_error:
                failure = output_error
        status = _status(error or failure, self._is_cut_short)
        message = _describe(error or failure) if status == "failed" else ""
        counts = self._n_segments, self._n_events, self._n_notices
        run_end = RunEnd(status, *counts, message, speed, self.mean_mass)
        try:
            self._for_each(lambda sink: sink.end(run_end))
        except Exception as output_error:
            failure = failure or output_error
        if failure is not None and error is None:
            raise failure

    def end_stored(self, status: RunStatus, error: str) -> None:
        """Tell the sinks how a stored run ended, all of whose results they have.

        :param error: the message of a failed run; otherwise empty. :raises OutputError: when a sink cannot write.
        """
        counts = self._n_segments, self._n_events, self._n_notices
        run_end = RunEnd(status, *counts, error, mean_mass=self.mean_mass, is_stored=True)
        self._for_each(lambda sink: sink.end(run_end))

    def _count_segment(self, score: SegmentScore) -> None:
        self._n_segments += 1
        for part in score.scores.values():
            if part.mass is not None:
                self._n_masses += 1
                self._sum_of_masses += round(part.mass, 6)  # as result files hold it, so that a replay gives the same

    @property
    def mean_mass(self) -> float | None:
        """Mean probability of the allowed answers over all written scores, 0 to 1; None: scores are read from words."""
        return self._sum_of_masses / self._n_masses if self._n_masses else None

    def _is_new(self, outcome: Result) -> bool:
        """Return whether a result is behind the last one of its kind, video and text, and remember it."""
        key, position = _position(outcome)
        if position <= self._written.get(key, -math.inf):
            return False
        self._written[key] = position
        return True

    def _for_each(self, write: Callable[[LoadedSink], None]) -> None:
        """Give a result to all sinks, then raise the first error."""
        first_error: Exception | None = None
        with interrupts.Deferred():  # otherwise the second sink lacks what the first one has
            for sink in list(self._sinks):
                try:
                    write(sink)
                except Exception as error:
                    self._sinks.remove(sink)
                    first_error = first_error or error
            if first_error is not None:
                raise first_error


def _position(outcome: Result) -> tuple[tuple[str, ...], float]:
    """Return the kind, video and text of a result, and where it is among the others of these."""
    match outcome:
        case Video():
            return ("video", outcome.id), 0
        case SegmentScore():
            return ("segment", outcome.video.id, outcome.text), outcome.segment
        case Timeline():
            return ("timeline", outcome.video.id, outcome.text), outcome.start
        case Evidence():
            return ("evidence", outcome.video, outcome.text), outcome.segment
        case Event():
            return ("event", outcome.video, outcome.text), outcome.start_s
        case Truth():
            return ("truth", outcome.video, outcome.text), 0


def _write_notice(notice: Notice, sink: LoadedSink) -> None:
    sink.write_notice(notice)


def _status(error: BaseException | None, is_cut_short: bool) -> RunStatus:
    if error is None:
        return "interrupted" if is_cut_short else "complete"
    is_failure = isinstance(error, Exception) and not isinstance(error, BrokenPipeError)  # whose reader wants no more
    return "failed" if is_failure else "interrupted"


def _describe(error: BaseException | None) -> str:
    return str(error) or type(error).__name__
