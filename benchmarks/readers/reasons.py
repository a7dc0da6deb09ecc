"""Why readers differ on a made file or a case, for the table of ``compare.py``."""

from __future__ import annotations

REASONS: dict[tuple[str, str], str] = {}
"""File and reader to the reason."""


def reason(file_name: str, reader: str) -> str:
    """Return why a reader differs from ours on a file."""
    return REASONS.get((file_name, reader), "unexplained")
