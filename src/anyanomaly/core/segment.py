"""Frames to segments (paper, section 3.1: a segment is L consecutive frames that share a score)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from anyanomaly.types import Frame, Segment, TimeArray


def segments(frames: Iterable[Frame], *, length: int, every: int = 1, keep_tail: bool = True) -> Iterator[Segment]:
    """Yield the segments ``[k * length, (k + 1) * length)`` of a stream of frames, each as soon as it is full.

    A segment without any readable frame is skipped.

    :param frames: as a reader yields them with the same ``every``; some may be missing.
    :param length: frames per segment, at least 1.
    :param every: step between the frames that are read.
    :param keep_tail: yield a short last segment too; the published code drops it.
    """
    pending: list[Frame] = []
    for frame in frames:
        if pending and frame.index // length != pending[0].index // length:
            yield _segment(pending, length, _border(pending, length))  # the frames up to the border are unreadable
            pending = []
        pending.append(frame)
        if frame.index + every >= _border(pending, length):
            yield _segment(pending, length, _full_stop(pending, length, every))
            pending = []
    if pending:
        tail = _segment(pending, length, _tail_stop(pending[-1], every))
        if keep_tail or tail.stop - tail.start >= length:
            yield tail


def _border(frames: list[Frame], length: int) -> int:
    """Return where the segment of ``frames`` stops when it is full."""
    return (frames[0].index // length + 1) * length


def _tail_stop(last: Frame, every: int) -> int:
    """Return where a video stops after its last read frame; at most ``every - 1`` unread frames come after that."""
    n_frames = last.video.n_frames
    return last.index + every if n_frames is None else min(last.index + every, max(n_frames, last.index + 1))


def _full_stop(frames: list[Frame], length: int, every: int) -> int:
    """Return where a full segment stops: at its border, or at the video's end when that comes first."""
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
    """Return the times (stop - start,) of frames, in seconds: interpolated linearly where a frame was not read."""
    read = np.array([frame.index for frame in frames])
    times_s = np.array([frame.time_s for frame in frames], dtype=np.float64)
    covered = np.arange(start, stop)
    inside = np.interp(covered, read, times_s)
    before = np.minimum(covered - read[0], 0) * step_s
    after = np.maximum(covered - read[-1], 0) * step_s
    times: TimeArray = np.maximum(inside + before + after, 0.0)
    return times
