"""Times on the command line and in config files."""

from __future__ import annotations

import math
import re
from typing import Any


def parse_time(value: Any) -> float:
    """Return a time such as 62.5, "62.5", "1:02.5" or "1:00:02" in seconds.

    :raises ValueError: for anything else.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return float(value)
    text = str(value)
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text) or any(float(part) >= 60 for part in text.split(":")[1:]):
        raise ValueError(f"'{text}' is not a time; use seconds, m:ss or h:mm:ss, for example 1:02.5")
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds
