"""What the header of a run says about it. Headers of other versions may lack any of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyanomaly.pages.text import clock_time


def event_texts(header: Mapping[str, Any]) -> list[str]:
    """Return the event texts of the run, in its order."""
    texts = _table(header, "config").get("texts") or ()
    return [text for text in texts if isinstance(text, str)]


def event_threshold(header: Mapping[str, Any]) -> float | None:
    """Return the smoothed score at which an event starts; None: unknown."""
    threshold = _table(header, "config", "run").get("threshold")
    return float(threshold) if isinstance(threshold, int | float) else None


def search_limits(header: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each part of the videos, or question, that the settings leave out."""
    run = _table(header, "config", "run")
    sentences = []
    start_s, stop_s = run.get("start") or 0.0, run.get("stop")
    if start_s or stop_s is not None:
        end = clock_time(float(stop_s)) if stop_s is not None else "the end"
        sentences.append(f"Only the part from {clock_time(float(start_s))} to {end} of each video was searched.")
    if (every := run.get("every") or 1) != 1:
        sentences.append(f"Of {every} frames, one was read.")
    if run.get("keep_tail") is False:
        sentences.append("Frames after the last whole segment of a video were not searched.")
    if (reason_above := run.get("reason_above")) is not None:
        sentences.append(f"The model was asked for a reason only where a score is above {reason_above:g}.")
    return sentences


def setting_rows(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return settings as rows of a name with dots and a value; empty tables have none."""
    if isinstance(value, Mapping):
        return [row for name, entry in value.items() for row in setting_rows(entry, f"{prefix}.{name}".strip("."))]
    if isinstance(value, list | tuple):
        return [(prefix, ", ".join(map(str, value)))] if value else []
    return (
        []
        if value is None or value == ""
        else [(prefix, {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value))]
    )


def _table(header: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    table: Any = header
    for name in names:
        table = table.get(name) if isinstance(table, Mapping) else None
    return table if isinstance(table, Mapping) else {}
