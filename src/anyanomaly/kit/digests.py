"""Fingerprints of models: digests of weights, independent of their path, and all settings that change answers."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from anyanomaly.errors import BackendError

_MODEL_FILES = frozenset({".safetensors", ".json", ".jinja", ".txt", ".model", ".py", ".bin"})
_TENSOR_BYTES = 1024  # read of each tensor
_N_SAMPLES, _SAMPLE_BYTES = 1024, 4096  # of a large file


def fingerprint(engine: str, weights: str, **settings: object) -> str:
    """Return a line that is equal for two runs exactly when the same weights run with the same settings.

    It is part of the keys of the answer store: with another line, no stored answer is reused.

    :param weights: a digest, or a hub id with its commit.
    :param settings: further settings that change answers; empty ones and None are omitted.
    """
    return "/".join([engine, weights, *(f"{name}={value}" for name, value in settings.items() if value)])


def model_identity(model: str, commit: str) -> str:
    """Return the digest of a folder, or a hub id with its commit.

    :param model: a folder or a hub id.
    :raises BackendError: when a file cannot be read.
    """
    folder = Path(model).expanduser()
    return folder_digest(folder) if folder.is_dir() else f"{model}@{commit}"


def release(version: str) -> str:
    """Return major and minor of a version: "5.1" of "5.1.3". Patch releases share answers."""
    return ".".join(version.split(".")[:2])


def weights_digest(paths: Iterable[Path]) -> str:
    """Return one digest of several files and folders.

    :returns: 32 hexadecimal digits.
    :raises BackendError: when one cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        digest.update((folder_digest(path) if path.is_dir() else file_digest(path)).encode())
    return digest.hexdigest()[:32]


def folder_digest(folder: Path) -> str:
    """Return a digest of the model files in ``folder``, independent of the folder's path.

    :returns: 32 hexadecimal digits.
    :raises BackendError: when a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in _MODEL_FILES and path.is_file():
            digest.update(f"{path.name}\0{file_digest(path)}\0".encode())
    return digest.hexdigest()[:32]


def file_digest(path: Path) -> str:
    """Return a digest of a file's content, without reading gigabytes, which would take as long as loading them.

    For a safetensors file it reads the header and the first bytes of each tensor, which training changes. For a pickle
    it reads the checksums in the archive. Any other file is read completely.

    :returns: 64 hexadecimal digits.
    :raises BackendError: when the file cannot be read.
    """
    with _reading(path):
        if path.suffix == ".safetensors":
            return _safetensors_digest(path)
        if path.suffix in {".bin", ".pth", ".pt"} and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                records = sorted((record.filename, record.file_size, record.CRC) for record in archive.infolist())
            return hashlib.sha256(repr(records).encode()).hexdigest()
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def sampled_digest(path: Path) -> str:
    """Return a digest of a file of any format: its size, and 1024 samples of 4 KiB, evenly spread.

    A file of up to 4 MiB is read completely.

    :returns: 32 hexadecimal digits.
    :raises BackendError: when the file cannot be read.
    """
    with _reading(path), path.open("rb") as file:
        n_bytes = path.stat().st_size
        digest = hashlib.sha256(str(n_bytes).encode())
        if n_bytes <= _N_SAMPLES * _SAMPLE_BYTES:
            digest.update(file.read())
        else:
            for sample in range(_N_SAMPLES):
                file.seek((n_bytes - _SAMPLE_BYTES) * sample // (_N_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:32]


def _safetensors_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        header = file.read(int.from_bytes(file.read(8), "little"))
        digest.update(header)
        start = file.tell()
        for name, tensor in sorted(json.loads(header).items()):
            if name != "__metadata__":
                begin, end = tensor["data_offsets"]
                file.seek(start + begin)
                digest.update(file.read(min(_TENSOR_BYTES, end - begin)))
    return digest.hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackendError(f"The file {path.name!r} cannot be read: {error.strerror or error}.") from error
