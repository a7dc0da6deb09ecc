"""From records of stored results to scores, by the weights and the threshold of a run, which may be others."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from anyanomaly.core.fuse import fuse
from anyanomaly.core.gate import GateMode, combine_priorities, unasked_value
from anyanomaly.results.fields import read_number
from anyanomaly.results.frame_times import even_times
from anyanomaly.results.records import SegmentRecord
from anyanomaly.types import QueryId, Score, SegmentScore, TimeArray, Video


def segment_score(
    record: SegmentRecord,
    video: Video,
    weights: Mapping[str, float],
    *,
    threshold: float,
    gate_mode: GateMode,
    has_exact_times: bool = True,
) -> SegmentScore:
    """Return the scores of a stored segment.

    :param weights: of the contexts' scores, by name; 1 for one without. :param threshold: of events, 0 to 1: a segment
        that was not asked about stays below it. :param has_exact_times: False: times are even between the borders.
    """
    scores = {
        name: Score(
            QueryId(video.id, record.segment, record.text, name),
            read_number(score.value) if record.is_asked(name) else math.nan,
            score.answer,
            score.mass,
            record.is_asked(name),
        )
        for name, score in record.scores.items()
    }
    values = {name: score.value for name, score in scores.items()}
    return SegmentScore(
        video=video,
        segment=record.segment,
        start=record.start,
        stop=record.stop,
        times_s=_frame_times(record, video, has_exact_times),
        text=record.text,
        scores=scores,
        value=fuse(values, {name: weights.get(name, 1.0) for name in scores})
        if record.any_asked
        else _unasked_value(record, threshold, gate_mode),
        key_frame=record.key_frame,
        sequence=record.sequence,
        priorities=record.priorities,
    )


def _unasked_value(record: SegmentRecord, threshold: float, gate_mode: GateMode) -> float:
    """Return the value of a stored segment that was not asked about, below a threshold, which may have changed.

    Without the priorities of its gates it keeps its value, if that is below the threshold; otherwise it has none.
    """
    if record.priorities:
        return unasked_value(combine_priorities(record.priorities.values(), gate_mode), threshold)
    value = read_number(record.value)
    return value if value < threshold else math.nan


def _frame_times(record: SegmentRecord, video: Video, has_exact_times: bool) -> TimeArray:
    """Return the times (n_frames,) of a segment's frames, in seconds."""
    if record.times is not None:
        return np.array(record.times, dtype=np.float64)
    if has_exact_times:
        return even_times(record.start, record.stop, video.fps)
    times_s: TimeArray = np.linspace(record.start_s, record.stop_s, record.stop - record.start, endpoint=False)
    return times_s
