"""For the tests of output files."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the path of a complete result in its own folder."""
    path = tmp_path / "folder" / "r.jsonl"
    path.parent.mkdir()
    path.write_text("complete\n")
    return path
