"""What identifies a model's answers: its weights wherever they lie, and all else that changes answers."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anyanomaly_transformers.options import TransformersOptions

HEAD = 1024  # bytes read of each tensor


def fingerprint(options: TransformersOptions, model: Any, commit: str) -> str:
    """Return a line that two runs share exactly when the same weights run in the same way."""
    import transformers

    folder = Path(options.model).expanduser()
    weights = folder_hash(folder) if folder.is_dir() else f"{options.model}@{commit or options.revision}"
    parts = {
        "dtype": str(model.dtype).removeprefix("torch."),
        "quantization": options.quantization,
        "attention": "" if options.attention == "auto" else options.attention,
        "pixels": f"{options.min_pixels or ''}-{options.max_pixels or ''}".strip("-"),
        "transformers": ".".join(transformers.__version__.split(".")[:2]),
    }
    return "/".join(["transformers", weights, *(f"{name}={value}" for name, value in parts.items() if value)])


def fingerprint_of(files: Sequence[Path], **parts: str) -> str:
    """Return a line that two runs share exactly when the weights in ``files`` and all ``parts`` are the same.

    :param files: folders and files.
    """
    import transformers

    weights = hashlib.sha256()
    for path in files:
        weights.update((folder_hash(path) if path.is_dir() else _file_hash(path)).encode())
    parts["transformers"] = ".".join(transformers.__version__.split(".")[:2])
    told = (f"{name}={value}" for name, value in parts.items() if value)
    return "/".join(["transformers", weights.hexdigest()[:32], *told])


def folder_hash(folder: Path) -> str:
    """Return a digest of the model files in ``folder``, the same wherever the folder lies.

    Small files count whole; of a safetensors file the header and the first bytes of each tensor, which training
    changes in every tensor that it touches; of a pickle the checksums that it carries. Reading gigabytes would take
    as long as loading them.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in {".safetensors", ".json", ".jinja", ".txt", ".model", ".py", ".bin"} and path.is_file():
            digest.update(f"{path.name}\0{_file_hash(path)}\0".encode())
    return digest.hexdigest()[:32]


def _file_hash(path: Path) -> str:
    if path.suffix == ".safetensors":
        return _tensors_hash(path)
    if path.suffix in {".bin", ".pth", ".pt"} and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            records = sorted((record.filename, record.file_size, record.CRC) for record in archive.infolist())
        return hashlib.sha256(repr(records).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tensors_hash(path: Path) -> str:
    import json

    digest = hashlib.sha256()
    with path.open("rb") as file:
        length = file.read(8)
        header = file.read(int.from_bytes(length, "little"))
        digest.update(header)
        start = file.tell()
        for name, tensor in sorted(json.loads(header).items()):
            if name != "__metadata__":
                begin, end = tensor["data_offsets"]
                file.seek(start + begin)
                digest.update(file.read(min(HEAD, end - begin)))
    return digest.hexdigest()
