"""The segment scores of one video to its timelines and events: at its end, or segment by segment when it is live."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import numpy as np

from anyanomaly.core.events import EventFinder
from anyanomaly.core.reason import reason_text
from anyanomaly.core.smooth import CausalSmoother, gaussian_smooth
from anyanomaly.core.timeline import build_timeline
from anyanomaly.engine.settings import RunSettings
from anyanomaly.types import Event, FloatArray, SegmentScore, Timeline, Video


class Tracker:
    """Makes the timelines and events of one video, for all its event texts."""

    def __init__(self, video: Video, settings: RunSettings) -> None:
        track = _LiveText if video.live else _RecordedText
        self._texts: dict[str, _LiveText | _RecordedText] = {text: track(settings) for text in settings.texts}

    def push(self, score: SegmentScore) -> Iterator[SegmentScore | Timeline | Event]:
        """Add the next segment score of a text; yield it, then the timelines and events that it completes."""
        completed = self._texts[score.text].push(score)  # first, so that a caller who stops here loses nothing
        yield score
        yield from completed

    def finish(self) -> Iterator[Timeline | Event]:
        """Yield the timelines and events that the end of the video completes, text by text."""
        for track in self._texts.values():
            yield from track.finish()


class _RecordedText:
    """Waits for the end of the video, because Gaussian smoothing needs later scores too."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._scores: list[SegmentScore] = []

    def push(self, score: SegmentScore) -> Iterator[Timeline | Event]:
        self._scores.append(score)
        return iter(())

    def finish(self) -> Iterator[Timeline | Event]:
        if not self._scores:
            return
        scores, self._scores = self._scores, []
        timeline = build_timeline(scores, self._smooth)
        starts = [score.start for score in scores]
        finder = EventFinder(self._settings.rule, lambda frame: best_rationale(scores[bisect_right(starts, frame) - 1]))
        yield timeline
        yield from finder.push(timeline)
        yield from finder.finish(timeline)

    def _smooth(self, raw: FloatArray, fps: float) -> FloatArray:
        return gaussian_smooth(raw, self._settings.smooth_sigma(fps))


class _LiveText:
    """Yields one piece of the timeline per segment, smoothed causally; keeps the last segment only."""

    def __init__(self, settings: RunSettings) -> None:
        self._smoother = CausalSmoother(settings.smooth_seconds)
        self._finder = EventFinder(settings.rule, lambda frame: best_rationale(self._score))
        self._score: SegmentScore
        self._last: Timeline | None = None

    def push(self, score: SegmentScore) -> Iterator[Timeline | Event]:
        self._score = score
        timeline = build_timeline([score], self._smooth)
        self._last = timeline
        yield timeline
        yield from self._finder.push(timeline)

    def finish(self) -> Iterator[Timeline | Event]:
        if self._last:
            yield from self._finder.finish(self._last)

    def _smooth(self, raw: FloatArray, fps: float) -> FloatArray:
        levels = [self._smoother.push(float(value), 1 / fps) for value in raw]
        return np.array(levels, dtype=np.float32)


def best_rationale(score: SegmentScore) -> str:
    """Return the reason of the context that scored highest, among those that gave one."""
    readable = (part for part in score.scores.values() if part.answer and not np.isnan(part.value))
    reasons = (reason_text(part.answer) for part in sorted(readable, key=lambda part: part.value, reverse=True))
    return next((reason for reason in reasons if reason), "")
