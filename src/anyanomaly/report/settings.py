"""The settings of a run as the report shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from anyanomaly.core.asked_text import count_asked
from anyanomaly.pages.text import clock_time
from anyanomaly.report.results import RunResults
from anyanomaly.results.run_header import run_settings, searched_section


def search_limits(header: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each part of the videos, or question, that the settings leave out."""
    run = run_settings(header)
    sentences = []
    start_s, stop_s = searched_section(header)
    if start_s or math.isfinite(stop_s):
        end = clock_time(stop_s) if math.isfinite(stop_s) else "the end"
        sentences.append(f"Only the part from {clock_time(start_s)} to {end} of each video was searched.")
    if (every := run.get("every") or 1) != 1:
        sentences.append(f"Of {every} frames, one was read.")
    if run.get("keep_tail") is False:
        sentences.append("Frames after the last whole segment of a video were not searched.")
    if (reason_above := run.get("reason_above")) is not None:
        sentences.append(f"The model was asked for a reason only where a score is above {reason_above:g}.")
    return sentences


def unasked_sentences(results: RunResults) -> list[str]:
    """Return a sentence for each kind of question that the model was not asked, because a cheaper step decided."""
    sentences = []
    if results.n_unasked:
        n_asked = results.n_segments - results.n_unasked
        names = " and ".join(results.gates)
        gates = f" The gate{'s' if len(results.gates) > 1 else ''} {names} rated them." if names else ""
        sentences.append(
            f"The model was {count_asked(n_asked, results.n_segments)}, counted for each event text. The other "
            f"{results.n_unasked:,} are hatched in the timelines, and have no score of the model.{gates}"
        )
    if results.n_clear:
        sentences.append(
            f"{results.n_clear:,} contexts of the segments that were asked about were not asked, because the score of "
            f"the first context was clear."
        )
    return sentences


def setting_rows(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return settings as rows of a name with dots and a value; empty tables have none."""
    if isinstance(value, Mapping):
        return [row for name, entry in value.items() for row in setting_rows(entry, f"{prefix}.{name}".strip("."))]
    if isinstance(value, list | tuple):
        return [(prefix, ", ".join(map(str, value)))] if value else []
    if value is None or value == "":
        return []
    if isinstance(value, bool):
        return [(prefix, "yes" if value else "no")]
    return [(prefix, str(value))]
