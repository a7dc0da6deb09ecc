"""Results of a run made by hand, for sinks that show them: no model and no video is read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np

from anyanomaly.api import RunEnd, Sink
from anyanomaly.evidence import Evidence, Exchange, Picture, Truth
from anyanomaly.types import Event, Notice, QueryId, Score, SegmentScore, Span, Timeline, Video

WEIGHTS = {"key": 0.2, "position": 0.1, "temporal": 0.7}
QUESTION = "Evaluate whether the given image includes **{text}** on a scale from 0 to 1."

Result = Video | SegmentScore | Timeline | Evidence | Event | Truth | Notice


def header(texts: Sequence[str], **settings: Any) -> dict[str, Any]:
    """Return the header of a run with these event texts, and settings of ``run``."""
    return {
        "config": {"texts": list(texts), "run": {"threshold": 0.35, **settings}, "encoder": {"name": "openclip"}},
        "prompt": {"name": "simple", "question": QUESTION, "system": "You are a vision anomaly detector."},
        "versions": {"anyanomaly": "0.1.0", "torch": "2.13.0"},
        "backend": "qwen-hf:abc",
        "encoder": "openclip:def",
    }


def picture(seed: int = 0, size: tuple[int, int] = (320, 180), frame: int | None = None) -> Picture:
    """Return a picture in which a square stands on a textured ground; the same seed gives the same bytes."""
    return Picture(_jpeg(seed % 60, size), *size, frame, None if frame is None else frame / 25)


@cache
def _jpeg(seed: int, size: tuple[int, int]) -> bytes:
    width, height = size
    rows = np.arange(height)[:, None, None] + np.arange(width)[None, :, None]
    image = np.broadcast_to(90 + (rows * (3 + seed % 5)) % 60, (height, width, 3)).astype(np.uint8)
    left = (seed * 37) % max(width - height // 2, 1)
    image[height // 4 : 3 * height // 4, left : left + height // 3] = (40, 60, 210)
    _, encoded = cv2.imencode(".jpg", image)
    return encoded.tobytes()


def evidence(video: str, text: str, segment: int, value: float, size: tuple[int, int] = (320, 180)) -> Evidence:
    """Return the evidence of a segment of one second at 25 frames per second."""
    start = 25 * segment
    exchanges = tuple(
        Exchange(
            context=name,
            index=0,
            pictures=(picture(segment + number, size),),
            system="You are a vision anomaly detector.",
            question=QUESTION.format(text=text),
            answer=f"{value:.1f}. The image shows {text}.",
            score=value,
            reason=f"The image shows {text}.",
            views={"attention": np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)} if name == "position" else {},
        )
        for number, name in enumerate(WEIGHTS)
    )
    frames = tuple(picture(segment + number, size, start + 6 * number) for number in range(4))
    return Evidence(
        video,
        text,
        segment,
        start,
        start + 25,
        float(segment),
        segment + 1.0,
        value,
        WEIGHTS,
        frames[2],
        frames,
        exchanges,
    )


def results_of_video(
    video: Video,
    values: Mapping[str, Sequence[float]],
    truth: Mapping[str, Sequence[Span]] | None = None,
    priorities: Mapping[str, Sequence[float | None]] | None = None,
) -> Iterator[Result]:
    """Yield the results of a video with segments of one second at 25 frames per second, as a run gives them.

    An event is each run of segments whose value is at least 0.35.

    :param values: event text to the fused score of each segment. :param truth: event text to spans in seconds.
    :param priorities: event text to the priority of each segment that was not asked about; None: it was asked.
    """
    yield video
    n_segments = len(next(iter(values.values())))
    for segment in range(n_segments):
        times_s = (25 * segment + np.arange(25)) / 25
        for text, series in values.items():
            value = float(series[segment])
            priority = priorities[text][segment] if priorities and text in priorities else None
            if priority is not None:
                yield from _unasked(video, text, segment, times_s.copy(), value, priority)
                continue
            scores = {
                name: Score(QueryId(video.id, segment, text, name), value, f"{value:.1f}. The image shows {text}.")
                for name in WEIGHTS
            }
            yield SegmentScore(video, segment, 25 * segment, 25 * segment + 25, times_s.copy(), text, scores, value)
            raw = np.full(25, value, dtype=np.float32)
            contexts = {name: raw.copy() for name in WEIGHTS}
            yield Timeline(video, text, 25 * segment, times_s.copy(), raw.copy(), raw.copy(), contexts)
    for text, series in values.items():
        yield from _events(video, text, np.asarray(series))
        if truth and text in truth:
            yield Truth(video.id, text, tuple(truth[text]))


def _unasked(
    video: Video, text: str, segment: int, times_s: np.ndarray, value: float, priority: float
) -> Iterator[SegmentScore | Timeline]:
    """Yield a segment that was not asked about. ``value``: that its gate gives it."""
    start = 25 * segment
    scores = {name: Score(QueryId(video.id, segment, text, name), math.nan, asked=False) for name in WEIGHTS}
    priorities = {"motion": priority}
    yield SegmentScore(video, segment, start, start + 25, times_s, text, scores, value, priorities=priorities)
    raw = np.full(25, value, dtype=np.float32)
    contexts = {name: np.full(25, np.nan, dtype=np.float32) for name in WEIGHTS}
    asked = np.zeros(25, dtype=np.bool_)
    yield Timeline(video, text, start, times_s.copy(), raw, raw.copy(), contexts, asked)


def _events(video: Video, text: str, series: np.ndarray) -> Iterator[Evidence | Event]:
    above = np.flatnonzero(np.diff(np.concatenate([[False], series >= 0.35, [False]]).astype(int)))
    for start, stop in above.reshape(-1, 2).tolist():
        peak = start + int(series[start:stop].argmax())
        value = float(series[peak])
        yield evidence(video.id, text, peak, value)
        yield Event(video.id, text, float(start), float(stop), value, peak + 0.5, f"The image shows {text}.")
    if not len(above):
        peak = int(np.nan_to_num(series, nan=-1).argmax())
        yield evidence(video.id, text, peak, float(series[peak]))


def write_results(
    sink: Sink[Any], run: Mapping[str, Any], results: Iterable[Result], run_end: RunEnd | None = None
) -> None:
    """Give results to a sink, from ``load`` to ``close``.

    :param run_end: how the run ended; None: completely.
    """
    with sink:
        sink.begin(run)
        give(sink, results)
        sink.end(run_end or RunEnd("complete", 1, 1, 0))


def give(sink: Sink[Any], results: Iterable[Result]) -> None:
    """Give results to a sink that has begun."""
    writers = {
        Video: sink.write_video,
        SegmentScore: sink.write_segment,
        Timeline: sink.write_timeline,
        Evidence: sink.write_evidence,
        Event: sink.write_event,
        Truth: sink.write_truth,
        Notice: sink.write_notice,
    }
    for result in results:
        writers[type(result)](result)  # type: ignore[operator]
