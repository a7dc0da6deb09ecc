"""From segment scores to scores per frame, in pieces that are final."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from anyanomaly.core.smooth import CausalSmoother, GaussianSmoother
from anyanomaly.types import BoolArray, FloatArray, SegmentScore, TimeArray, Timeline

RATE_TOLERANCE = 0.01
"""Largest relative difference between the measured and the nominal frame rate at which the nominal one is taken."""
MAX_MEASURED = 10
"""The frame rate is measured on at most this many times the frames that the nominal rate would need."""


_NOTHING: FloatArray = np.empty(0, dtype=np.float32)


class _Frames(NamedTuple):
    """Consecutive frames."""

    times_s: TimeArray  # (n_frames,)
    series: FloatArray  # (1 + n_contexts, n_frames): fused scores, then those of each context; NaN: missing
    asked: BoolArray  # (n_contexts, n_frames): whether the backend was asked; true for frames that could not be read


class RecordedTimeline:
    """The timeline of a recorded video and one text, smoothed with a Gaussian, in pieces as frames become final.

    A frame has its segment's score. Frames between two segments, which could not be read, have no score (NaN) and
    evenly spaced times; they count as asked, because no gate decided about them.
    """

    def __init__(self, sigma: Callable[[float], float], measure_s: float) -> None:
        """:param sigma: from frames per second to the sigma of the smoothing in frames.

        :param measure_s: first seconds of the video in which the frame rate is measured, because the nominal one of a
            file with a variable frame rate may be wrong; 0: take the nominal one.
        """
        self._sigma = sigma
        self._measure_s = measure_s
        self._smoother: GaussianSmoother | None = None  # once the frame rate is known
        self._last: SegmentScore | None = None
        self._pending: list[_Frames] = []  # frames that are not final
        self._start, self._start_s = 0, 0.0  # number of the first of them, and time of the first of all

    @property
    def expected_final(self) -> int:
        """The frame before which all are final, except where none within 4 sigma has a score."""
        return max(0, self._last.stop - self._smoother.delay) if self._last and self._smoother else 0

    def push(self, score: SegmentScore) -> Timeline | None:
        """Add the next segment, and return the frames that become final; None: no frame does."""
        frames = _frames_of(score, self._last)
        if self._last is None:
            self._start, self._start_s = score.start, float(score.times_s[0])
        self._last = score
        self._pending.append(frames)
        if self._smoother:
            return self._take(score, self._smoother.push(frames.series[0]))
        n_frames, span_s = score.stop - self._start, float(score.times_s[-1]) - self._start_s
        if span_s < self._measure_s and n_frames < MAX_MEASURED * self._measure_s * score.video.fps:
            return None
        self._smoother, smooth = self._begin_smoothing(score)
        return self._take(score, smooth)

    def finish(self) -> Timeline | None:
        """Return the frames that become final at the end of the video; None: no frame does."""
        if self._last is None:
            return None
        smoother, smooth = (self._smoother, _NOTHING) if self._smoother else self._begin_smoothing(self._last)
        return self._take(self._last, np.concatenate([smooth, smoother.finish()]))

    def _begin_smoothing(self, last: SegmentScore) -> tuple[GaussianSmoother, FloatArray]:
        """Return a smoother, and the values that are final once all pending frames are pushed to it."""
        times_s, (raw, *_), _ = _concatenate(self._pending)
        nominal = last.video.fps
        measured = frame_rate(times_s, nominal) if self._measure_s > 0 else nominal
        is_nominal = abs(measured - nominal) <= RATE_TOLERANCE * nominal
        smoother = GaussianSmoother(self._sigma(nominal if is_nominal else measured))
        return smoother, smoother.push(raw)

    def _take(self, last: SegmentScore, smooth: FloatArray) -> Timeline | None:
        """Return the first pending frames, as many as there are smoothed values (n_frames,)."""
        n_frames = len(smooth)
        if not n_frames:
            return None
        frames = _concatenate(self._pending)
        self._pending = [_part(frames, slice(n_frames, None))]
        start, self._start = self._start, self._start + n_frames
        return _make_timeline(last, start, _part(frames, slice(n_frames)), smooth)


class LiveTimeline:
    """The timeline of a live video and one text, smoothed causally: one final piece per segment."""

    def __init__(self, seconds: float) -> None:
        """:param seconds: time constant of the smoothing; 0: none."""
        self._smoother = CausalSmoother(seconds)

    expected_final = 0
    """No frame waits for later ones."""

    def push(self, score: SegmentScore) -> Timeline:
        """Return the timeline of the next segment."""
        frames = _frames_of(score, None)
        duration_s = 1 / frame_rate(frames.times_s, score.video.fps)
        values = (float(value) for value in frames.series[0])
        smooth = np.array([self._smoother.push(value, duration_s) for value in values], dtype=np.float32)
        return _make_timeline(score, score.start, frames, smooth)

    def finish(self) -> None:
        """Return None: all frames are final."""


def join_timelines(outcomes: Iterable[object]) -> list[Timeline]:
    """Return the timelines whose pieces are among the outcomes of a run: one per video and text, in the run's order.

    A live video of which frames could not be read has one for each stretch of frames without a gap.
    """
    stretches: dict[tuple[str, str], list[list[Timeline]]] = {}
    for piece in outcomes:
        if not isinstance(piece, Timeline):
            continue
        of_text = stretches.setdefault((piece.video.id, piece.text), [])
        if of_text and of_text[-1][-1].start + len(of_text[-1][-1].times_s) == piece.start:
            of_text[-1].append(piece)
        else:
            of_text.append([piece])
    return [_join(stretch) for of_text in stretches.values() for stretch in of_text]


def _join(pieces: Sequence[Timeline]) -> Timeline:
    return replace(
        pieces[0],
        times_s=np.concatenate([piece.times_s for piece in pieces]),
        raw=np.concatenate([piece.raw for piece in pieces]),
        smooth=np.concatenate([piece.smooth for piece in pieces]),
        contexts={name: np.concatenate([piece.contexts[name] for piece in pieces]) for name in pieces[0].contexts},
        asked=np.concatenate([piece.asked for piece in pieces]),
        contexts_asked={
            name: np.concatenate([piece.contexts_asked[name] for piece in pieces]) for name in pieces[0].contexts
        },
    )


def frame_rate(times_s: TimeArray, nominal: float) -> float:
    """Return the mean frames per second of times (n_frames,) in seconds; ``nominal`` when they span no time."""
    span_s = float(times_s[-1] - times_s[0])
    return (len(times_s) - 1) / span_s if span_s > 0 else nominal


def _frames_of(score: SegmentScore, previous: SegmentScore | None) -> _Frames:
    """Return the frames of a segment, and those of the gap between it and the previous one."""
    n_missing = score.start - previous.stop if previous else 0
    n_frames = n_missing + score.stop - score.start
    parts = score.scores.values()
    series = np.full((1 + len(parts), n_frames), np.nan, dtype=np.float32)
    series[:, n_missing:] = np.array([score.value, *(part.value for part in parts)])[:, None]
    asked = np.ones((len(parts), n_frames), dtype=np.bool_)
    asked[:, n_missing:] = np.array([part.asked for part in parts], dtype=np.bool_)[:, None]
    if previous is None or not n_missing:
        return _Frames(score.times_s, series, asked)
    ends_s = float(previous.times_s[-1]), float(score.times_s[0])
    gap_s = np.interp(np.arange(1, n_missing + 1), [0, n_missing + 1], ends_s)
    return _Frames(np.concatenate([gap_s, score.times_s]), series, asked)


def _concatenate(parts: Sequence[_Frames]) -> _Frames:
    return _Frames(
        np.concatenate([part.times_s for part in parts]),
        np.concatenate([part.series for part in parts], axis=1),
        np.concatenate([part.asked for part in parts], axis=1),
    )


def _part(frames: _Frames, part: slice) -> _Frames:
    """Return a copy of a part, so that the whole can be freed."""
    return _Frames(frames.times_s[part].copy(), frames.series[:, part].copy(), frames.asked[:, part].copy())


def _make_timeline(score: SegmentScore, start: int, frames: _Frames, smooth: FloatArray) -> Timeline:
    """Return a timeline of the video, text and contexts of a segment."""
    raw, *contexts = frames.series
    return Timeline(
        video=score.video,
        text=score.text,
        start=start,
        times_s=frames.times_s,
        raw=raw,
        smooth=smooth,
        contexts=dict(zip(score.scores, contexts, strict=True)),
        asked=np.any(frames.asked, axis=0) if score.scores else np.ones(raw.shape, dtype=np.bool_),
        contexts_asked=dict(zip(score.scores, frames.asked, strict=True)),
    )
