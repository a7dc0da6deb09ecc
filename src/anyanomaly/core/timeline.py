"""From segment scores to scores per frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from anyanomaly.types import FloatArray, SegmentScore, TimeArray, Timeline


def build_timeline(scores: Sequence[SegmentScore], smooth: Callable[[FloatArray, float], FloatArray]) -> Timeline:
    """Return the timeline of consecutive segments of one video and one text; a frame has its segment's score.

    Frames between two segments, which could not be read, have no score (NaN) and evenly spaced times.

    :param scores: at least one, in order.
    :param smooth: from fused scores (n_frames,) and their frame rate to smoothed scores (n_frames,).
    """
    first, last = scores[0], scores[-1]
    n_frames = last.stop - first.start
    contexts = {name: np.full(n_frames, np.nan, dtype=np.float32) for name in first.scores}
    raw = np.full(n_frames, np.nan, dtype=np.float32)
    times_s = np.full(n_frames, np.nan)
    for score in scores:
        span = slice(score.start - first.start, score.stop - first.start)
        raw[span] = score.value
        times_s[span] = score.times_s
        for name, series in contexts.items():
            series[span] = score.scores[name].value
    times_s = _interpolate_gaps(times_s)
    return Timeline(
        video=first.video,
        text=first.text,
        start=first.start,
        times_s=times_s,
        raw=raw,
        smooth=smooth(raw, frame_rate(times_s, first.video.fps)),
        contexts=contexts,
    )


def frame_rate(times_s: TimeArray, nominal: float) -> float:
    """Return the mean frames per second of times (n_frames,) in seconds; ``nominal`` when they span no time."""
    span_s = float(times_s[-1] - times_s[0])
    return (len(times_s) - 1) / span_s if span_s > 0 else nominal


def _interpolate_gaps(times_s: TimeArray) -> TimeArray:
    frames = np.arange(len(times_s))
    present = ~np.isnan(times_s)
    return times_s if present.all() else np.interp(frames, frames[present], times_s[present])
