"""Where the shared material lies: videos, labels and oracle figures that the repository does not contain."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"


def shared(*parts: str) -> Path:
    """Return the path of a shared file, or skip the test, saying which one is missing."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the shared file {'/'.join(parts)} is not beside this repository")
    return path
