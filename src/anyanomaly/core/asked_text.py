"""What was not asked, in the words that all outputs use."""

from __future__ import annotations

from collections.abc import Mapping

UNASKED = "not asked"
"""In place of a score, for a segment or a context that the model was not asked about."""


def describe_priorities(priorities: Mapping[str, float]) -> str:
    """Return what the gates said of a segment: "the gate motion rated it 0.12"; empty without a gate.

    :param priorities: gate name to priority, in [0, 1].
    """
    ratings = [f"{name} {priority:.2f}" for name, priority in priorities.items()]
    if len(ratings) > 1:
        return f"the gates rated it {', '.join(ratings)}"
    return "".join(f"the gate {name} rated it {priority:.2f}" for name, priority in priorities.items())


def describe_unasked(priorities: Mapping[str, float]) -> str:
    """Return why a segment has no score: "not asked: the gate motion rated it 0.12"."""
    ratings = describe_priorities(priorities)
    return f"{UNASKED}: {ratings}" if ratings else UNASKED


def count_asked(n_asked: int, n_segments: int) -> str:
    """Return how much was asked: "asked about 120 of 600 segments"."""
    return f"asked about {n_asked:,} of {n_segments:,} segment{'' if n_segments == 1 else 's'}"
