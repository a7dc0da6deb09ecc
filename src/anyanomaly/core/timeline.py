"""Segment scores to scores per frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from anyanomaly.types import FloatArray, SegmentScore, TimeArray, Timeline


def build_timeline(scores: Sequence[SegmentScore], smooth: Callable[[FloatArray, float], FloatArray]) -> Timeline:
    """Join the segment scores of one video and one text, in order; every frame gets its segment's score.

    ``smooth``: from the fused series (n,) and its frame rate to the smoothed one. Frames between segments
    (none of theirs could be read) have no score (NaN), and times that go evenly across the gap.
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
    times_s = _across_gaps(times_s)
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
    """Return the mean frames per second of presentation times (n,), or ``nominal`` when they cannot tell."""
    span_s = float(times_s[-1] - times_s[0])
    return (len(times_s) - 1) / span_s if span_s > 0 else nominal


def _across_gaps(times_s: TimeArray) -> TimeArray:
    at = np.arange(len(times_s))
    known = ~np.isnan(times_s)
    return times_s if known.all() else np.interp(at, at[known], times_s[known])
