"""Frames to segments (paper, section 3.1: a segment is L consecutive frames that share a score)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from anyanomaly.types import Frame, Segment, TimeArray


def segments(frames: Iterable[Frame], *, length: int, every: int = 1, keep_tail: bool = True) -> Iterator[Segment]:
    """Cut a stream of frames into segments ``[k * length, (k + 1) * length)``, each as soon as it is full.

    ``frames`` are those a reader yields with the same ``every``; some may be missing. A stretch of
    ``length`` frames of which none was read gives no segment. The last segment may be short; published
    behaviour (``keep_tail=False``) drops it.
    """
    held: list[Frame] = []
    for frame in frames:
        if held and frame.index // length != held[0].index // length:
            yield _segment(held, length, _border(held, length))  # the frames up to there could not be read
            held = []
        held.append(frame)
        if frame.index + every >= _border(held, length):
            yield _segment(held, length, _full(held, length, every))
            held = []
    if held:
        tail = _segment(held, length, _end(held[-1], every))
        if keep_tail or tail.stop - tail.start >= length:
            yield tail


def _border(frames: list[Frame], length: int) -> int:
    return (frames[0].index // length + 1) * length


def _end(last: Frame, every: int) -> int:
    """Return where a video ends whose last frame read is ``last``; at most ``every - 1`` were skipped after it."""
    n_frames = last.video.n_frames
    return last.index + every if n_frames is None else min(last.index + every, max(n_frames, last.index + 1))


def _full(frames: list[Frame], length: int, every: int) -> int:
    """Return where a full segment stops: at its border, or at the video's end when no frame is read after this one."""
    last, border = frames[-1], _border(frames, length)
    n_frames = last.video.n_frames or 0
    return n_frames if last.index < n_frames <= last.index + every else border


def _segment(frames: list[Frame], length: int, stop: int) -> Segment:
    video = frames[0].video
    index = frames[0].index // length
    start = index * length
    return Segment(
        video=video,
        index=index,
        start=start,
        stop=stop,
        frames=tuple(frames),
        times_s=_times(frames, start, stop, 1 / video.fps),
    )


def _times(frames: list[Frame], start: int, stop: int, step_s: float) -> TimeArray:
    """Presentation times of the frames ``[start, stop)``, those not read interpolated between those that were."""
    read = np.array([frame.index for frame in frames])
    times_s = np.array([frame.time_s for frame in frames], dtype=np.float64)
    covered = np.arange(start, stop)
    inside = np.interp(covered, read, times_s)
    before = np.minimum(covered - read[0], 0) * step_s
    after = np.maximum(covered - read[-1], 0) * step_s
    times: TimeArray = np.maximum(inside + before + after, 0.0)
    return times
