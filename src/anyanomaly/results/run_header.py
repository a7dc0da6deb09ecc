"""What the header of a run says, for sinks. A header may come from a file of any version, or made by anybody.

A header is the mapping that ``Sink.begin`` receives. What it lacks, or has in another form, is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from anyanomaly.core.events import EventRule
from anyanomaly.types import Span


def run_settings(header: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of the table ``run``; empty: unknown."""
    return _table(_table(header, "config"), "run")


def event_texts(header: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the event texts, in the order of the run."""
    return tuple(text for text in _list(_table(header, "config"), "texts") if isinstance(text, str))


def has_several_videos(header: Mapping[str, Any]) -> bool:
    """Return whether the run was given more than one video."""
    return len(_list(_table(header, "config"), "videos")) > 1


def event_threshold(header: Mapping[str, Any]) -> float | None:
    """Return the smoothed score at which an event starts; None: unknown."""
    return _number(run_settings(header), "threshold")


def event_rule(header: Mapping[str, Any]) -> EventRule | None:
    """Return the rule of events; None: unknown."""
    settings = run_settings(header)
    threshold, merge_s, min_s = (
        _number(settings, name) for name in ("threshold", "merge_seconds", "min_event_seconds")
    )
    return None if threshold is None or merge_s is None or min_s is None else EventRule(threshold, merge_s, min_s)


def searched_section(header: Mapping[str, Any]) -> Span:
    """Return the part of each video that was searched, seconds; the whole video: 0 to infinity."""
    settings = run_settings(header)
    stop_s = _number(settings, "stop")
    return _number(settings, "start") or 0.0, math.inf if stop_s is None else stop_s


def gate_names(header: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the gates, in the order of the run; empty: it has none."""
    return tuple(name for name in _list(_table(header, "config"), "gates") if isinstance(name, str))


def can_skip_questions(header: Mapping[str, Any]) -> bool:
    """Return whether the run may leave a segment or a context unasked: with gates, or limits of a clear score."""
    settings = run_settings(header)
    limits = (_number(settings, name) for name in ("clear_below", "clear_above"))
    return bool(gate_names(header)) or any(limit is not None for limit in limits)


def video_stream(header: Mapping[str, Any]) -> int | None:
    """Return the number of the video stream that was read of files; None: the one that players choose."""
    stream = _reader(header, "video").get("stream")
    return stream if isinstance(stream, int) and not isinstance(stream, bool) and stream >= 0 else None


def image_rate(header: Mapping[str, Any]) -> float | None:
    """Return the images per second at which folders of images were read, 1e-6 to 10,000; None: unknown."""
    rate = _number(_reader(header, "images"), "fps")
    return rate if rate and 1e-6 <= rate <= 10_000 else None


def _reader(header: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    readers = (reader for reader in _list(header, "readers") if isinstance(reader, Mapping))
    return next((reader for reader in readers if reader.get("name") == name), {})


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name)
    return value if isinstance(value, Mapping) else {}


def _list(table: Mapping[str, Any], name: str) -> list[Any] | tuple[Any, ...]:
    value = table.get(name)
    return value if isinstance(value, list | tuple) else ()


def _number(table: Mapping[str, Any], name: str) -> float | None:
    value = table.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < 1e300:  # also NaN
        return None
    return float(value)
