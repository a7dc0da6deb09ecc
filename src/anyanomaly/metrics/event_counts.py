"""Detected and labelled events per video, and the bootstrap intervals of what is counted over videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anyanomaly.core.events import EventRule
from anyanomaly.metrics.detections import match_events
from anyanomaly.metrics.resampling import Interval, Resamples, percentile_interval
from anyanomaly.metrics.values import DoubleArray, Series, VideoScores


@dataclass(frozen=True, slots=True, eq=False)
class EventTable:
    """Counts per video of one class, (n_videos,) each."""

    n_labelled: DoubleArray
    n_detected: DoubleArray
    n_false_alarms: DoubleArray
    hours: DoubleArray  # of video

    @classmethod
    def of(cls, videos: Sequence[VideoScores], series: Series, rule: EventRule) -> EventTable:
        """Count as `match_events` does, video by video. :param series: smoothed scores (n_frames,) per video."""
        counts = [match_events([video], [scores], rule) for video, scores in zip(videos, series, strict=True)]
        return cls(
            *(
                np.array([getattr(count, name) for count in counts], np.float64)
                for name in ("n_labelled", "n_detected", "n_false_alarms", "hours")
            )
        )


@dataclass(frozen=True, slots=True)
class RatioEstimate:
    """A ratio of two sums over videos and classes."""

    value: float  # NaN: the divisor is 0
    interval: Interval | None  # 95 % bootstrap interval over videos; None: the divisor is 0 in most resamples


def event_recall(tables: Sequence[EventTable], resamples: Sequence[Resamples]) -> RatioEstimate:
    """Return the fraction of labelled events of all classes that are detected, 0 to 1.

    :param resamples: of each class's videos, drawn together (`resample_classes`); empty: no interval.
    """
    return _ratio([table.n_detected for table in tables], [table.n_labelled for table in tables], resamples)


def false_alarms_per_hour(tables: Sequence[EventTable], resamples: Sequence[Resamples]) -> RatioEstimate:
    """Return the detected events that overlap no labelled one, per hour of video and class. Parameters as above."""
    return _ratio([table.n_false_alarms for table in tables], [table.hours for table in tables], resamples)


def _ratio(
    dividends: Sequence[DoubleArray], divisors: Sequence[DoubleArray], resamples: Sequence[Resamples]
) -> RatioEstimate:
    total, divisor = sum(float(part.sum()) for part in dividends), sum(float(part.sum()) for part in divisors)
    if not divisor:
        return RatioEstimate(float("nan"), None)
    if not resamples or len(dividends[0]) == 1:
        return RatioEstimate(total / divisor, None)
    totals = np.sum([sample @ part for sample, part in zip(resamples, dividends, strict=True)], axis=0)
    divisor_totals = np.sum([sample @ part for sample, part in zip(resamples, divisors, strict=True)], axis=0)
    ratios = np.where(divisor_totals > 0, totals / np.where(divisor_totals > 0, divisor_totals, 1), np.nan)
    return RatioEstimate(total / divisor, percentile_interval(ratios))
