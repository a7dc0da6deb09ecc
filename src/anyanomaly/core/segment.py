"""Frames to segments (paper, section 3.1: a segment is L consecutive frames that share a score)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from anyanomaly.types import Frame, Segment, TimeArray


def segments(
    frames: Iterable[Frame], *, length: int, every: int = 1, keep_tail: bool = True, cut_head: bool = False
) -> Iterator[Segment]:
    """Yield the segments ``[k * length, (k + 1) * length)`` of a stream of frames, each as soon as it is full.

    A segment without any readable frame is skipped. The last segment stops where the last frame says that the video
    ends (``Frame.n_covered``); where it does not say, at most ``every`` frames after it.

    :param frames: as a reader yields them with the same ``every``; some may be missing.
    :param length: frames per segment, at least 1.
    :param every: step between the frames that are read.
    :param keep_tail: yield a short last segment too; the published code drops it.
    :param cut_head: let the first segment start at its first frame, which is not the first of the video.
    """
    pending: list[Frame] = []
    start: int | None = None if cut_head else 0
    for frame in frames:
        start = frame.index if start is None else start
        if pending and frame.index // length != pending[0].index // length:
            yield _segment(pending, length, start, _border(pending, length))  # frames up to the border are unreadable
            pending = []
        pending.append(frame)
        if frame.index + every >= _border(pending, length):
            yield _segment(pending, length, start, _stop(pending, length, every))
            pending = []
    if pending:
        tail = _segment(pending, length, start or 0, _stop(pending, length, every))
        if keep_tail or tail.stop - tail.start >= length:
            yield tail


def _border(frames: list[Frame], length: int) -> int:
    """Return where the segment of ``frames`` stops when it is full."""
    return (frames[0].index // length + 1) * length


def _stop(frames: list[Frame], length: int, every: int) -> int:
    """Return where a segment stops that gets no more frames: at its border, or at the video's end when that is first."""
    last = frames[-1]
    return min(_border(frames, length), last.index + min(every, last.n_covered or _guess_covered(last, every)))


def _guess_covered(last: Frame, every: int) -> int:
    """Return the frames that ``last`` stands for where its reader does not say: by the container's count, if it fits."""
    n_left = (last.video.n_frames or 0) - last.index
    return n_left if 0 < n_left < every else every


def _segment(frames: list[Frame], length: int, first: int, stop: int) -> Segment:
    """:param first: first frame of the stream."""
    video = frames[0].video
    index = frames[0].index // length
    start = max(index * length, first)
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
