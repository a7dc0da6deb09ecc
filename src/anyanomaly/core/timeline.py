"""From segment scores to scores per frame, in pieces that are final."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from anyanomaly.core.smooth import CausalSmoother, GaussianSmoother
from anyanomaly.types import FloatArray, SegmentScore, TimeArray, Timeline

RATE_TOLERANCE = 0.01
"""Largest relative difference between the measured and the nominal frame rate at which the nominal one is taken."""
MAX_MEASURED = 10
"""The frame rate is measured on at most this many times the frames that the nominal rate would need."""


_NOTHING: FloatArray = np.empty(0, dtype=np.float32)


class _Frames(NamedTuple):
    """Consecutive frames."""

    times_s: TimeArray  # (n_frames,)
    series: FloatArray  # (1 + n_contexts, n_frames): fused scores, then those of each context; NaN: missing
    asked: npt.NDArray[np.bool_]  # (n_frames,): whether the backend was asked about the frame's segment


class RecordedTimeline:
    """The timeline of a recorded video and one text, smoothed with a Gaussian, in pieces as frames become final.

    A frame has its segment's score. Frames between two segments, which could not be read, have no score (NaN) and
    evenly spaced times.
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
        times_s, series, asked = _concatenate(self._pending)
        self._pending = [_Frames(times_s[n_frames:].copy(), series[:, n_frames:].copy(), asked[n_frames:].copy())]
        start, self._start = self._start, self._start + n_frames
        final = _Frames(times_s[:n_frames].copy(), series[:, :n_frames].copy(), asked[:n_frames].copy())
        return _make_timeline(last, start, final, smooth)


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
        values = [self._smoother.push(float(value), duration_s) for value in frames.series[0]]
        return _make_timeline(score, score.start, frames, np.array(values, dtype=np.float32))

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
    )


def frame_rate(times_s: TimeArray, nominal: float) -> float:
    """Return the mean frames per second of times (n_frames,) in seconds; ``nominal`` when they span no time."""
    span_s = float(times_s[-1] - times_s[0])
    return (len(times_s) - 1) / span_s if span_s > 0 else nominal


def _frames_of(score: SegmentScore, previous: SegmentScore | None) -> _Frames:
    """Return the frames of a segment, and those of the gap between it and the previous one.

    Frames of a gap could not be read; no gate decided that they are not asked about.
    """
    n_missing = score.start - previous.stop if previous else 0
    series = np.full((1 + len(score.scores), n_missing + score.stop - score.start), np.nan, dtype=np.float32)
    series[:, n_missing:] = np.array([score.value, *(part.value for part in score.scores.values())])[:, None]
    asked = np.ones(series.shape[1], dtype=np.bool_)
    asked[n_missing:] = score.asked
    if previous is None or not n_missing:
        return _Frames(score.times_s, series, asked)
    ends_s = float(previous.times_s[-1]), float(score.times_s[0])
    gap_s = np.interp(np.arange(1, n_missing + 1), [0, n_missing + 1], ends_s)
    return _Frames(np.concatenate([gap_s, score.times_s]), series, asked)


def _concatenate(parts: Sequence[_Frames]) -> _Frames:
    return _Frames(
        np.concatenate([part.times_s for part in parts]),
        np.concatenate([part.series for part in parts], axis=1),
        np.concatenate([part.asked for part in parts]),
    )


def _make_timeline(score: SegmentScore, start: int, frames: _Frames, smooth: FloatArray) -> Timeline:
    """Return a timeline of the video, text and contexts of a segment."""
    raw, *contexts = frames.series
    by_context = dict(zip(score.scores, contexts, strict=True))
    return Timeline(score.video, score.text, start, frames.times_s, raw, smooth, by_context, frames.asked)
