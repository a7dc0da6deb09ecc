"""Sizes of files and folders on disk."""

from __future__ import annotations

import os
from pathlib import Path


def measure_size(path: Path) -> int:
    """Return the size of a file or folder in bytes, without links and files that disappear while they are counted."""
    n_bytes = path.lstat().st_size if path.is_file() else 0
    for folder, _, names in os.walk(path):
        for name in names:
            file = Path(folder, name)
            if not file.is_symlink() and file.exists():
                n_bytes += file.lstat().st_size
    return n_bytes
