"""The results that a report shows, as they come from a run: small numbers in memory, evidence on disk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from anyanomaly.core.reason import reason_text
from anyanomaly.evidence import Evidence, Truth
from anyanomaly.report.series import UNASKED, CurveSeries, SegmentSeries
from anyanomaly.report.spool import EvidenceSpool
from anyanomaly.types import Event, Notice, SegmentScore, Span, Timeline, Video

MAX_EXAMPLES = 5  # of unreadable answers
_MAX_REASON = 240  # characters that a tooltip shows


@dataclass(frozen=True, slots=True)
class Moment:
    """An event, or the highest segment of a text without one, and where its evidence is."""

    text: str
    start_s: float
    stop_s: float
    peak: float
    peak_s: float
    reason: str
    is_event: bool
    evidence: int | None  # position in the spool; None: there is none


@dataclass(frozen=True, slots=True)
class UnreadableAnswer:
    """An answer without a score that could be read."""

    video: str
    text: str
    context: str
    start_s: float
    answer: str


@dataclass(slots=True)
class TextResults:
    """The results of one video for one event text."""

    segments: SegmentSeries
    curve: CurveSeries = field(default_factory=CurveSeries)
    moments: list[Moment] = field(default_factory=list)
    truth: tuple[Span, ...] | None = None  # None: unknown
    last_segment: int = -1
    spooled: list[tuple[float, float, float, int]] = field(default_factory=list)  # start_s, stop_s, value, position


@dataclass(slots=True)
class VideoResults:
    """The results of one video."""

    video: Video
    texts: dict[str, TextResults] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    gaps: list[Span] = field(default_factory=list)  # between segments, where none could be read: seconds
    start_s: float = math.inf
    stop_s: float = -math.inf


@lru_cache(maxsize=1024)  # small models repeat their answers, and reading one takes half a millisecond
def _short_reason(answer: str) -> str:
    return reason_text(answer)[:_MAX_REASON]


class RunResults:
    """The results of a run so far."""

    def __init__(self) -> None:
        self.header: Mapping[str, Any] = {}
        self.videos: dict[str, VideoResults] = {}
        self.unopened: list[Notice] = []  # about videos without results
        self.n_answers, self.n_unreadable = 0, 0
        self.n_clear = 0  # contexts that were not asked about in segments that were
        self.gates: dict[str, None] = {}  # names, in the order of the run
        self.unreadable: list[UnreadableAnswer] = []
        self.spool = EvidenceSpool()

    def add_video(self, video: Video) -> VideoResults:
        """Add a video, or return the results that it has."""
        return self.videos.setdefault(video.id, VideoResults(video))

    def add_segment(self, score: SegmentScore) -> None:
        """Add the scores of a segment."""
        results = self.add_video(score.video)
        start_s, stop_s = float(score.times_s[0]), float(score.times_s[-1]) + 1 / score.video.fps
        text = self._text(score.video, score.text, tuple(score.scores), tuple(score.priorities))
        is_first_text = text is next(iter(results.texts.values()))  # the segments of the other texts are the same
        if is_first_text and 0 <= text.last_segment < score.segment - 1:
            results.gaps.append((results.stop_s, start_s))
        text.last_segment = score.segment
        results.start_s, results.stop_s = min(results.start_s, start_s), max(results.stop_s, stop_s)
        values = {name: part.value if part.asked else UNASKED for name, part in score.scores.items()}
        self.gates |= dict.fromkeys(score.priorities)
        best = max(score.scores.values(), key=lambda part: -1 if math.isnan(part.value) else part.value, default=None)
        reason = _short_reason(best.answer) if best else ""
        text.segments.add(start_s, stop_s, score.value, values, reason, score.priorities)
        for name, part in score.scores.items():
            if not part.asked:
                self.n_clear += score.asked
                continue
            self.n_answers += 1
            if math.isnan(part.value):
                self.n_unreadable += 1
                if len(self.unreadable) < MAX_EXAMPLES:
                    self.unreadable.append(
                        UnreadableAnswer(score.video.id, score.text, name, start_s, part.answer[:1000])
                    )

    def add_timeline(self, timeline: Timeline) -> None:
        """Add a piece of the smoothed scores."""
        self.add_video(timeline.video)
        self._text(timeline.video, timeline.text, tuple(timeline.contexts)).curve.add(timeline.times_s, timeline.smooth)

    def add_evidence(self, evidence: Evidence) -> None:
        """Store evidence until its event comes.

        :raises OutputError: when it cannot be stored.
        """
        text = self._known_text(evidence.video, evidence.text)
        position = self.spool.add(evidence)
        text.spooled.append((evidence.start_s, evidence.stop_s, evidence.value, position))

    def add_event(self, event: Event) -> None:
        """Add an event, with the evidence of the segment at its peak."""
        text = self._known_text(event.video, event.text)
        positions = (entry[3] for entry in reversed(text.spooled) if entry[0] <= event.peak_s < entry[1])
        position = next(positions, None)
        text.moments.append(
            Moment(event.text, event.start_s, event.stop_s, event.peak, event.peak_s, event.rationale, True, position)
        )

    def add_truth(self, truth: Truth) -> None:
        """Add the ground truth of a video and text."""
        self._known_text(truth.video, truth.text).truth = truth.spans

    def add_notice(self, notice: Notice) -> None:
        """Add a notice."""
        if notice.video in self.videos:
            self.videos[notice.video].notices.append(notice.message)
        else:
            self.unopened.append(notice)

    @property
    def n_segments(self) -> int:
        """Segments and event texts that have scores, those of gates included."""
        return sum(text.segments.n_segments for video in self.videos.values() for text in video.texts.values())

    @property
    def n_unasked(self) -> int:
        """Those of them that the model was not asked about."""
        return sum(text.segments.n_unasked for video in self.videos.values() for text in video.texts.values())

    def _text(self, video: Video, text: str, contexts: tuple[str, ...], gates: tuple[str, ...] = ()) -> TextResults:
        texts = self.videos[video.id].texts
        if text not in texts:
            texts[text] = TextResults(SegmentSeries(contexts, gates))
        return texts[text]

    def _known_text(self, video: str, text: str) -> TextResults:
        results = self.videos.get(video) or self.add_video(Video(video, "", 25.0, None, 0, 0))
        return self._text(results.video, text, ())
