"""What lies behind the paths of a configuration: weights trained anew under the same name are other weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

N_BLOCKS = 64
BLOCK = 4096


def contents(paths: Iterable[Path]) -> list[str]:
    """Return a digest of each file and of all files of each folder, wherever they lie and whenever they were copied.

    A large file counts by its length and 64 blocks spread over it, which training changes all: reading gigabytes
    would take as long as loading them.
    """
    return [_digest(path) for path in sorted(set(paths))]


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if each.is_file():
            digest.update(f"{each.relative_to(path)}\0{_sample(each)}\0".encode())
    return digest.hexdigest()[:16]


def _sample(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if size <= N_BLOCKS * BLOCK:
            digest.update(file.read())
        else:
            for at in range(N_BLOCKS):
                file.seek(at * (size - BLOCK) // (N_BLOCKS - 1))
                digest.update(file.read(BLOCK))
    return digest.hexdigest()
