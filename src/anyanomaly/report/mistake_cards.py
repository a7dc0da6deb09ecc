"""The worst false alarms and misses of all videos as cards, with a still where there is no evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anyanomaly.core.asked_text import count_asked, describe_unasked
from anyanomaly.errors import VideoError
from anyanomaly.media.clip_source import ClipSource
from anyanomaly.media.stills import read_still
from anyanomaly.pages.text import data_uri
from anyanomaly.report.mistakes import Miss, ScoredSegment, worst_false_alarms, worst_misses
from anyanomaly.report.results import RunResults, TextResults
from anyanomaly.report.series import is_unasked
from anyanomaly.report.spool import THUMBNAIL_SIDE
from anyanomaly.types import Video

MAX_MISTAKES = 12
"""Cards of each kind."""


@dataclass(slots=True)
class MistakeCard:
    """A false alarm, or a stretch of ground truth without a high score."""

    video_id: str  # of the section in the page
    segment: ScoredSegment  # of a miss the highest one
    start_s: float
    stop_s: float
    reason: str  # the model's, for the segment
    unasked: str = ""  # what was not asked of it; empty: nothing
    picture: str = ""  # data URI; empty: there is none


@dataclass(frozen=True, slots=True)
class Mistakes:
    """The worst mistakes of a run."""

    false_alarms: tuple[MistakeCard, ...]  # highest first
    misses: tuple[MistakeCard, ...]  # lowest first


def find_mistakes(results: RunResults, video_ids: Mapping[str, str]) -> Mistakes | None:
    """Return the worst mistakes, with pictures; None: no ground truth is known.

    :param video_ids: `Video.id` to the id of its section in the page.
    """
    texts = [(video.video.id, name, text) for video in results.videos.values() for name, text in video.texts.items()]
    if all(text.truth is None for _, _, text in texts):
        return None
    alarms: list[MistakeCard] = []
    misses: list[MistakeCard] = []
    for video, name, text in texts:
        if text.truth is not None:
            segments, reasons = _segments(video, name, text)
            ratings = _ratings(text)
            section = video_ids[video]
            alarms += [
                MistakeCard(section, segment, segment.start_s, segment.stop_s, reasons[segment.segment])
                for segment in worst_false_alarms(segments, text.truth, MAX_MISTAKES)
            ]
            misses += [
                MistakeCard(
                    section,
                    miss.best,
                    miss.start_s,
                    miss.stop_s,
                    reasons[miss.best.segment],
                    _describe_unasked(miss, ratings[miss.best.segment]),
                )
                for miss in worst_misses(segments, text.truth, MAX_MISTAKES)
            ]
    alarms.sort(key=lambda card: -card.segment.value)
    misses.sort(key=lambda card: (card.segment.is_asked, np.nan_to_num(card.segment.value)))
    mistakes = Mistakes(tuple(alarms[:MAX_MISTAKES]), tuple(misses[:MAX_MISTAKES]))
    _add_pictures((*mistakes.false_alarms, *mistakes.misses), results)
    return mistakes


def _segments(video: str, name: str, text: TextResults) -> tuple[list[ScoredSegment], list[str]]:
    """Return the segments of a video and text, and the model's reason for each; their number is the row."""
    rows = text.segments.table()
    unasked = is_unasked(rows, len(text.segments.contexts))
    segments = [
        ScoredSegment(video, name, number, float(row[0]), float(row[1]), float(row[2]), not unasked[number])
        for number, row in enumerate(rows)
    ]
    return segments, text.segments.reasons


def _ratings(text: TextResults) -> list[dict[str, float]]:
    """Return the priorities of each segment, by gate."""
    gates = text.segments.gates
    columns = text.segments.table()[:, 3 + len(text.segments.contexts) :]
    return [
        {gate: float(value) for gate, value in zip(gates, row, strict=True) if not math.isnan(value)} for row in columns
    ]


def _describe_unasked(miss: Miss, ratings: Mapping[str, float]) -> str:
    """Return what was not asked of the segments of a miss, a sentence; empty: all of them were asked about."""
    if not miss.n_asked:
        return f"The model was {describe_unasked(ratings)}."
    if miss.n_asked < miss.n_segments:
        return f"The model was {count_asked(miss.n_asked, miss.n_segments)} of it."
    return ""


def _add_pictures(cards: Sequence[MistakeCard], results: RunResults) -> None:
    """Add the key frame of evidence, or the frame in the middle of the segment if the source is here."""
    sources: dict[str, ClipSource | None] = {}
    for card in cards:
        segment = card.segment
        video = results.videos[segment.video]
        time_s = (segment.start_s + segment.stop_s) / 2
        positions = [entry[3] for entry in video.texts[segment.text].spooled if entry[0] <= time_s < entry[1]]
        if positions:
            jpeg = results.spool.read(positions[-1])[1].jpeg
        else:
            if segment.video not in sources:
                sources[segment.video] = _open_source(video.video, results.header)
            jpeg = _still(sources[segment.video], time_s)
        if jpeg:
            card.picture = data_uri("image/jpeg", jpeg)


def _open_source(video: Video, header: Mapping[str, Any]) -> ClipSource | None:
    try:
        return ClipSource(video, header)
    except VideoError:  # the page says that there is no picture
        return None


def _still(source: ClipSource | None, time_s: float) -> bytes:
    try:
        return read_still(source, time_s, THUMBNAIL_SIDE) if source else b""
    except VideoError:
        return b""
