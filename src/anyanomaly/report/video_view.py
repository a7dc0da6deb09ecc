"""The section of one video in the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyanomaly.core.asked_text import count_asked
from anyanomaly.pages.text import clock_time, score_text
from anyanomaly.report.cards import Card
from anyanomaly.report.chart_data import ChartData, pack
from anyanomaly.report.player import Player
from anyanomaly.report.results import TextResults, VideoResults
from anyanomaly.report.strips import Strip, make_strip
from anyanomaly.types import Span


@dataclass(frozen=True, slots=True)
class Scale:
    """The axis of scores, the same in all charts."""

    limits: Span  # lowest and highest score
    threshold: float | None  # None: unknown


@dataclass(frozen=True, slots=True)
class TimelineView:
    """The timeline of one video and text."""

    id: str
    text: str
    peak: float | None  # the highest smoothed score of what was asked; None: there is none
    n_events: int
    n_segments: int  # those of gates included
    n_unasked: int  # segments that were not asked about
    description: str  # for a screen reader
    strip: Strip


@dataclass(frozen=True, slots=True)
class VideoView:
    """The section of one video."""

    id: str
    name: str
    facts: tuple[str, ...]
    peak: float | None  # the highest smoothed score of its texts; None: there is none
    ratio: str  # of width to height, for CSS
    player: Player
    notices: tuple[str, ...]
    timelines: tuple[TimelineView, ...]
    events: tuple[Card, ...]  # in the order of time
    n_events: int  # with those that have no card
    highest: tuple[Card, ...]  # the highest segment of each text without an event
    contexts: tuple[str, ...]
    has_truth: bool
    has_unasked: bool


def video_view(
    video_id: str,
    video: VideoResults,
    texts: Sequence[str],
    charts: Sequence[ChartData],
    cards: Sequence[Card],
    player: Player,
    scale: Scale,
) -> VideoView:
    """Return the section of a video.

    :param texts: its event texts, in the order of the page. :param charts: one per text.
    """
    source = video.video
    timelines = tuple(
        _timeline_view(f"{video_id}t{number}", video, text, chart, scale)
        for number, (text, chart) in enumerate(zip(texts, charts, strict=True))
    )
    has_size = source.width > 0 and source.height > 0
    start_s, stop_s = extent(video)
    return VideoView(
        id=video_id,
        name=source.id,
        facts=(clock_time(stop_s - start_s), *([f"{source.width} × {source.height}"] if has_size else [])),
        peak=max((timeline.peak for timeline in timelines if timeline.peak is not None), default=None),
        ratio=f"{source.width} / {source.height}" if has_size else "16 / 9",
        player=player,
        notices=tuple(video.notices),
        timelines=timelines,
        events=tuple(card for card in cards if card.moment.is_event),
        n_events=sum(timeline.n_events for timeline in timelines),
        highest=tuple(card for card in cards if not card.moment.is_event),
        contexts=max((chart.contexts for chart in charts), key=len, default=()),
        has_truth=any(results.truth is not None for results in video.texts.values()),
        has_unasked=any(timeline.n_unasked for timeline in timelines),
    )


def video_data(video: VideoResults, texts: Sequence[str], charts: Sequence[ChartData]) -> dict[str, Any]:
    """Return what the page's script draws of a video, JSON-ready; times in seconds."""
    return {
        "extent": list(extent(video)),
        "charts": [
            {
                **pack(chart),
                "events": [list(span) for span in _event_spans(video.texts[text])],
                "truth": [list(span) for span in video.texts[text].truth or ()],
            }
            for text, chart in zip(texts, charts, strict=True)
        ],
    }


def extent(video: VideoResults) -> Span:
    """Return the time from the first to the last frame, seconds."""
    return (video.start_s, video.stop_s) if math.isfinite(video.stop_s) else (0.0, 1.0)


def _timeline_view(timeline_id: str, video: VideoResults, text: str, chart: ChartData, scale: Scale) -> TimelineView:
    events = _event_spans(video.texts[text])
    points = chart.curve if len(chart.curve) else chart.segments[:, [0, 2]]
    asked_points = points[~_lies_in(points[:, 0], chart.unasked)]  # a score of gates is no peak of the model's
    values = asked_points[~np.isnan(asked_points[:, 1]), 1]
    peak = float(values.max()) if len(values) else None
    start_s, stop_s = extent(video)
    spans = ", ".join(f"{clock_time(start)} to {clock_time(stop)}" for start, stop in events[:5])
    segments = video.texts[text].segments
    counts = count_asked(segments.n_segments - segments.n_unasked, segments.n_segments)
    asked = f" The model was {counts}." if segments.n_unasked else ""
    more = f", and {len(events) - 5} more" if len(events) > 5 else ""
    return TimelineView(
        id=timeline_id,
        text=text,
        peak=peak,
        n_events=len(events),
        n_segments=segments.n_segments,
        n_unasked=segments.n_unasked,
        description=(
            f"Smoothed score of {text}, {clock_time(start_s)} to {clock_time(stop_s)}, highest {score_text(peak)}. "
            f"{f'Events: {spans}{more}' if events else 'No event'}.{asked}"
        ),
        strip=make_strip(points, (start_s, stop_s), events, scale.threshold, scale.limits, chart.unasked),
    )


def _lies_in(times_s: npt.NDArray[np.float64], spans: Sequence[Span]) -> npt.NDArray[np.bool_]:
    """Return which times (n,) lie in one of the spans, which are ascending."""
    if not spans:
        return np.zeros(times_s.shape, dtype=np.bool_)
    starts_s, stops_s = np.array(spans).T
    numbers = np.searchsorted(starts_s, times_s + 1e-6, side="right") - 1
    inside: npt.NDArray[np.bool_] = (numbers >= 0) & (times_s + 1e-6 < stops_s[numbers])
    return inside


def _event_spans(results: TextResults) -> list[Span]:
    return [(moment.start_s, moment.stop_s) for moment in results.moments]
