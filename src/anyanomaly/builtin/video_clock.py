"""Presentation times of the frames of a file: one strictly increasing timeline from the stamps of its packets."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from statistics import median
from typing import Literal

WRAP_TICKS = 2**33
"""MPEG transport and program streams count time in 33 bits; after 26.5 hours at 90 kHz the count starts again."""

CLOSED_GAP_S = 10.0
"""In MPEG streams a longer gap is a change of the recorder's clock, as in FFmpeg and in players: it is closed."""

MIN_GAP_S = 0.5
"""A shorter time without frames is never reported."""

GAP_STEPS = 10
"""A gap is at least this many times as long as the usual step between frames."""

STEADY = 2.0
"""The rate is steady while no recent step is longer than this many usual steps."""

LAG_S = 0.5
"""Stamps that jump back by less may be wrong for a moment, as those of DVD files: they get this time to catch up."""

MAX_REPEATS = 3
"""A stamp that more frames than this share says nothing: the nominal rate continues."""


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """A place where stamps do not continue: a restart, a gap that was closed, or a time without frames."""

    kind: Literal["restart", "closed gap", "gap"]
    time_s: float  # of the last frame before it, on the timeline, seconds
    length_s: float = 0.0  # of a gap


class Clock:
    """Turns stamps in presentation order into times in seconds; the first frame is at 0.

    Each frame gets its own stamp's time, so that a variable frame rate is kept. Frames without a stamp follow at the
    usual rate. Where stamps jump back, the frames after that follow on those before.
    """

    def __init__(self, time_base: Fraction, step_s: float, *, may_jump: bool) -> None:
        """:param time_base: seconds per tick of the stamps. :param step_s: nominal seconds between frames.

        :param may_jump: the format allows its clock to change (MPEG streams): a long gap is closed.
        """
        self._time_base = time_base
        self._nominal_step_s = step_s
        self._may_jump = may_jump
        self._reference: tuple[int, float] | None = None  # a stamp and its time, seconds
        self._last_stamp: int | None = None
        self._last_s: float | None = None
        self._repeats = 0
        self._lag_begin_s: float | None = None  # time of the last frame before stamps jumped back a little
        self._steps_s: deque[float] = deque(maxlen=48)
        self.discontinuities: list[Discontinuity] = []
        self.n_frames = 0
        self.n_without_stamp = 0

    @property
    def last_s(self) -> float:
        """Time of the last frame, seconds."""
        return self._last_s or 0.0

    def time(self, stamp: int | None, next_stamp: int | None) -> float:
        """Return the time of the next frame, seconds.

        :param stamp: its stamp in ticks; None: it has none. :param next_stamp: of the frame after it, if there is one.
        """
        self.n_frames += 1
        self.n_without_stamp += stamp is None
        if self._last_s is None:
            time_s = 0.0
        elif stamp is None:
            time_s = self._last_s + self._usual_step()
        elif stamp == self._last_stamp:
            time_s = self._repeat(self._last_s)
        else:
            time_s = self._follow(self._last_s, stamp, next_stamp)
        if stamp is not None and self._reference is None:
            self._reference = stamp, time_s
        if stamp != self._last_stamp:
            self._repeats = 0
        self._last_stamp, self._last_s = stamp, time_s
        return time_s

    def _repeat(self, last_s: float) -> float:
        """Return the time of a frame with the stamp of the one before: within a step, so that the next one fits."""
        self._repeats += 1
        if self._repeats > MAX_REPEATS:
            return last_s + self._nominal_step_s
        return last_s + self._usual_step() * 0.5**self._repeats

    def _follow(self, last_s: float, stamp: int, next_stamp: int | None) -> float:
        time_s = self._stamped_time(stamp)
        if time_s is None:  # the first stamp, after frames without one
            return last_s + self._nominal_step_s
        if time_s > last_s:
            return self._step_or_gap(last_s, stamp, time_s)
        next_s = None if next_stamp is None else self._stamped_time(next_stamp)
        if next_s is not None and next_s > last_s:  # one frame out of order
            return last_s + min(self._usual_step(), (next_s - last_s) / 2)
        wrapped_s = self._stamped_time(stamp + WRAP_TICKS)
        if wrapped_s is not None and last_s < wrapped_s < last_s + CLOSED_GAP_S:
            self._reference = stamp, wrapped_s
            return wrapped_s
        begin_s = last_s if self._lag_begin_s is None else self._lag_begin_s
        if last_s - time_s < LAG_S and last_s - begin_s < LAG_S:
            self._lag_begin_s = begin_s
            return last_s + self._usual_step()
        self._lag_begin_s = None
        self.discontinuities.append(Discontinuity("restart", begin_s))
        return self._continue(last_s, stamp)

    def _step_or_gap(self, last_s: float, stamp: int, time_s: float) -> float:
        self._lag_begin_s = None
        step_s = time_s - last_s
        if self._is_gap(step_s):
            if self._may_jump and step_s >= CLOSED_GAP_S:
                self.discontinuities.append(Discontinuity("closed gap", last_s, step_s))
                return self._continue(last_s, stamp)
            self.discontinuities.append(Discontinuity("gap", last_s, step_s))
        else:
            self._steps_s.append(step_s)
        return time_s

    def _is_gap(self, step_s: float) -> bool:
        """Whether a step is a time without frames, and not a slow or variable rate."""
        if step_s < MIN_GAP_S or step_s < GAP_STEPS * self._usual_step():
            return False
        if len(self._steps_s) < 4:
            return self._may_jump and step_s >= CLOSED_GAP_S
        if self._may_jump and step_s >= max(CLOSED_GAP_S, GAP_STEPS * max(self._steps_s)):
            return True
        return max(self._steps_s) <= STEADY * self._usual_step()

    def _continue(self, last_s: float, stamp: int) -> float:
        """Let ``stamp`` follow the last frame by the usual step, and count from it from now on."""
        time_s = last_s + self._usual_step()
        self._reference = stamp, time_s
        return time_s

    def _stamped_time(self, stamp: int) -> float | None:
        if self._reference is None:
            return None
        reference, reference_s = self._reference
        return reference_s + (stamp - reference) * self._time_base.numerator / self._time_base.denominator

    def _usual_step(self) -> float:
        return median(self._steps_s) if len(self._steps_s) >= 4 else self._nominal_step_s
