"""Times of a video and durations, as people read them."""

from __future__ import annotations

import math


def time_text(time_s: float, n_digits: int = 0, *, has_hours: bool = False) -> str:
    """Return seconds as m:ss, or h:mm:ss where there are hours; NaN and infinity as a dash.

    :param n_digits: of the fraction of a second; the time is rounded to them. :param has_hours: write hours also where
        there are none.
    """
    if not math.isfinite(time_s):
        return "–"
    unit = 10**n_digits
    n_ticks = round(time_s * unit)
    minutes, ticks = divmod(abs(n_ticks), 60 * unit)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}" if hours or has_hours else f"{minutes}"
    fraction = f".{ticks % unit:0{n_digits}}" if n_digits else ""
    return f"{'-' if n_ticks < 0 else ''}{clock}:{ticks // unit:02}{fraction}"
