"""How long a run will take, from the time of its first answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyanomaly.engine.clock import Clock
from anyanomaly.engine.observer import Observer
from anyanomaly.engine.settings import RunSettings
from anyanomaly.types import Answer, Query, Segment, Video

if TYPE_CHECKING:
    from anyanomaly.engine.planned import TextContexts

_BURST_GAP = 0.2
"""Answers belong to one batch while the time between them is at most this part of the longest so far."""
_WARM_UP = 0.01
"""A gap above this fraction of the first one is none between the answers of a batch."""
_LEAST_S, _TRUSTED_S = 1.0, 10.0
"""Seconds of answers that are enough; a first batch that takes longer than the second counts too.

Otherwise it is left out, because engines prepare something at their first answer.
"""
_PLAN_STAGES = ("decode", "encode", "gate", "contexts")


@dataclass(frozen=True, slots=True)
class Forecast:
    """The rest of a run. Its number of questions is known, or at most this."""

    n_questions: int  # that are left
    seconds_per_question: float
    is_most: bool  # gates or clear scores save questions, how many is not known

    @property
    def seconds(self) -> float:
        """The rest of the run."""
        return self.n_questions * self.seconds_per_question


def count_segments(settings: RunSettings, videos: Sequence[Video]) -> int | None:
    """Return the segments of videos, by the number of frames that their files say; None: it is not known."""
    total = 0
    for video in videos:
        start_s, stop_s = video.section
        n_frames = video.n_frames if math.isinf(stop_s) else round(stop_s * video.fps)
        if n_frames is None or video.live:
            return None
        n_frames = max(0, min(n_frames, video.n_frames or n_frames) - round(start_s * video.fps))
        total += math.ceil(n_frames / settings.segment_length(video))
    return total


def count_questions(settings: RunSettings, videos: Sequence[Video], per_text: float) -> tuple[int, bool] | None:
    """Return how many questions a run asks at most, and whether it may be fewer; None: the videos' length is unknown.

    :param per_text: questions about a segment and text when nothing is saved.
    """
    n_segments = count_segments(settings, videos)
    if n_segments is None:
        return None
    n_pairs = n_segments * len(settings.texts)
    n_questions: float = n_pairs * per_text
    budget = settings.gate.budget if settings.gate else None
    is_most = settings.clear is not None or (settings.gate is not None and budget is None)
    if budget is not None:
        if budget.unit == "share":
            limit = max(1, math.floor(budget.amount * n_pairs)) * per_text
        elif budget.unit == "per-minute":
            limit = budget.amount * sum((video.n_frames or 0) / video.fps for video in videos) / 60
        else:
            limit = budget.amount
        n_questions = min(n_questions, limit)
    return math.ceil(n_questions), is_most


class Forecaster(Observer):
    """Measures the first answers of a run, and tells once how long the rest will take.

    That is when the first segment has its answers and the next batch of answers begins: engines give the answers of a
    batch at once, so the time of a part of a batch says nothing.
    """

    def __init__(
        self, settings: RunSettings, videos: Sequence[Video], clock: Clock, announce: Callable[[Forecast], bool]
    ) -> None:
        """:param clock: of the run, which measures. :param announce: receives forecasts until it returns True."""
        self._settings = settings
        self._videos = videos
        self._clock = clock
        self._announce = announce
        self._is_done = False
        self._n_planned = self._n_contexts = 0  # segments, and their questions when nothing is saved
        self._n_answers = 0
        self._answer_s = self._first_gap_s = self._longest_gap_s = 0.0
        self._first_batch: tuple[int, float] | None = None  # its answers and seconds, which are not counted
        self.n_reused: Callable[[], int] = lambda: 0
        """Returns how many answers did not need the backend; set by the host."""

    @property
    def per_text(self) -> float:
        """Questions about a segment and text when nothing is saved."""
        return self._n_contexts / max(1, self._n_planned) / len(self._settings.texts)

    def on_queries(self, segment: Segment, text_contexts: Sequence[TextContexts], queries: Sequence[Query]) -> None:
        """Count the contexts of a segment."""
        if text_contexts:
            self._n_contexts += round(
                sum(len(entry.contexts) for entry in text_contexts) * len(self._settings.texts) / len(text_contexts)
            )
            self._n_planned += 1

    def on_answer(self, answer: Answer) -> None:
        """Note when the answer came; announce a forecast where a batch begins."""
        if self._is_done or not self._n_planned:
            return
        answer_s = (self._clock.seconds() or {}).get("answer", 0.0)
        gap_s = answer_s - self._answer_s
        if self._n_answers:
            self._longest_gap_s = max(self._longest_gap_s, gap_s)
            # the first answer may have waited for an engine that warms up, so later gaps count once one is no burst
            is_known = self._longest_gap_s > _WARM_UP * self._first_gap_s
            if gap_s > _BURST_GAP * (self._longest_gap_s if is_known else self._first_gap_s):
                self._end_batch(self._n_answers - self.n_reused())
        else:
            self._first_gap_s = gap_s
        self._n_answers += 1
        self._answer_s = answer_s

    def _end_batch(self, n_asked: int) -> None:
        if self._first_batch is None:
            self._first_batch = (0, 0.0) if self._answer_s >= _TRUSTED_S else (n_asked, self._answer_s)
        n_first, first_s = self._first_batch
        n_measured, measured_s = n_asked - n_first, self._answer_s - first_s
        is_segment = n_asked >= self.per_text * len(self._settings.texts)
        if not is_segment or n_measured < 1 or measured_s < _LEAST_S:
            return
        total = count_questions(self._settings, self._videos, self.per_text)
        if total is None:
            self._is_done = True
            return
        n_questions, is_most = total
        seconds = max(measured_s / n_measured, self._plan_seconds())
        self._is_done = self._announce(Forecast(max(0, n_questions - self._n_answers), seconds, is_most))

    def _plan_seconds(self) -> float:
        """Return the seconds that decoding and contexts take per question; 0 after a pass that only rated."""
        if self._settings.gate is not None:
            return 0.0
        stages_s = self._clock.seconds() or {}
        return sum(stages_s.get(stage, 0.0) for stage in _PLAN_STAGES) / max(1, self._n_contexts)
