"""Times on the command line and in config files."""

from __future__ import annotations

import re
from typing import Any

MAX_S = 10_000_000
"""Latest time in a video, seconds: after 115 days."""


def parse_time(value: Any) -> float:
    """Return a time such as 62.5, "62.5", "1:02.5" or "1:00:02" in seconds.

    :raises ValueError: for anything else.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_S:
        return float(value)
    text = str(value) if not isinstance(value, int) else f"{value:.3e}" if abs(value) < 1e300 else "the number"
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text) or any(float(part) >= 60 for part in text.split(":")[1:]):
        raise ValueError(f"'{text}' is not a time; use seconds, m:ss or h:mm:ss, for example 1:02.5")
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    if seconds > MAX_S:
        raise ValueError(f"'{text[:40]}' is too late; a video has at most {MAX_S:,} seconds here")
    return seconds
