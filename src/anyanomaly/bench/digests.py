"""Digests of the files that a configuration names, to detect new weights under an old name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

N_BLOCKS = 64
BLOCK_BYTES = 4096


def content_digests(paths: Iterable[Path]) -> list[str]:
    """Return a digest of each file, and of all files of each folder, independent of their location and times.

    For a file larger than 256 KiB only its length and 64 evenly spaced blocks are read. Training changes every block,
    and reading gigabytes would take as long as loading them.
    """
    return [_digest(path) for path in sorted(set(paths))]


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(f"{file.relative_to(path)}\0{_sample_digest(file)}\0".encode())
    return digest.hexdigest()[:16]


def _sample_digest(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if size <= N_BLOCKS * BLOCK_BYTES:
            digest.update(file.read())
        else:
            for block in range(N_BLOCKS):
                file.seek(block * (size - BLOCK_BYTES) // (N_BLOCKS - 1))
                digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()
