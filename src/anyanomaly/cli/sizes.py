"""Sizes of files and folders on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def measure_size(path: Path) -> dict[str, Any]:
    """Return the size of a file or folder in MiB, without links and files that disappear while they are counted."""
    n_bytes = path.lstat().st_size if path.is_file() else 0
    for folder, _, names in os.walk(path):
        for name in names:
            file = Path(folder, name)
            if not file.is_symlink() and file.exists():
                n_bytes += file.lstat().st_size
    return {"path": str(path), "exists": path.exists(), "mib": round(n_bytes / 2**20, 1)}
