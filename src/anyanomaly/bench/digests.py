"""Digests of the files that a configuration names, to detect new weights under an old name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from anyanomaly.kit import sampled_digest


def content_digests(paths: Iterable[Path]) -> list[str]:
    """Return a digest of each file, and of all files of each folder, independent of their location and times.

    Of a large file only its length and evenly spread samples are read. Training changes all of them, and reading
    gigabytes would take as long as loading them.

    :raises BackendError: when a file cannot be read.
    """
    return [_digest(path) for path in sorted(set(paths))]


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(f"{file.relative_to(path)}\0{sampled_digest(file)}\0".encode())
    return digest.hexdigest()[:16]
