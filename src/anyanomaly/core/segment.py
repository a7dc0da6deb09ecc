"""Frames to segments (paper, section 3.1: a segment is L consecutive frames that share a score), and to sections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from anyanomaly.types import Frame, Segment, Span, TimeArray


def segments(
    frames: Iterable[Frame], *, length: int, every: int = 1, keep_tail: bool = True, cut_head: bool = False
) -> Iterator[Segment]:
    """Yield the segments ``[k * length, (k + 1) * length)`` of a stream of frames.

    A segment without any readable frame is skipped. A segment of a live video comes as soon as it is full; otherwise
    the next frame is awaited, because the last segment stops where the video ends.

    :param frames: as a reader yields them with the same ``every``; some may be missing.
    :param length: frames per segment, at least 1.
    :param every: step between the frames that are read.
    :param keep_tail: yield a short last segment too; the published code drops it.
    :param cut_head: let the first segment start at its first frame, which is not the first of the video.
    """
    pending: list[Frame] = []
    first: int | None = None if cut_head else 0
    for frame in frames:
        first = frame.index if first is None else first
        if pending and frame.index // length != pending[0].index // length:
            yield _segment(pending, length, first, _border(pending, length))
            pending = []
        pending.append(frame)
        if frame.video.live and frame.index + every >= _border(pending, length):
            yield _segment(pending, length, first, _border(pending, length))
            pending = []
    if pending:
        tail = _segment(pending, length, first or 0, _end(pending[-1], every))
        if keep_tail or tail.stop - tail.start >= length:
            yield tail


def cut_section(frames: Iterable[Frame], section: Span) -> Iterator[Frame]:
    """Yield the frames whose times are in a section ``[start, stop)`` in seconds; read none after it."""
    start_s, stop_s = section
    for frame in frames:
        if frame.time_s >= stop_s:
            return
        if frame.time_s >= start_s:
            yield frame


def _border(frames: list[Frame], length: int) -> int:
    """Return where the segment of ``frames`` stops when it is full."""
    return (frames[0].index // length + 1) * length


def _end(last: Frame, every: int) -> int:
    """Return where a video ends after its last read frame; at most ``every - 1`` unread frames come after that."""
    if last.end is not None:
        return last.end
    n_left = (last.video.n_frames or 0) - last.index  # the container's count, if it can be right
    return last.index + (n_left if 0 < n_left < every else every)


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
