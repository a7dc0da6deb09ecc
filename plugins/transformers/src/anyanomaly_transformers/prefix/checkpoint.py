"""Checkpoints in their original layouts: folders, configuration files, and tensors that are read on access."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

from anyanomaly.errors import BackendError, MissingRequirement, UsageError
from anyanomaly.kit import first_line, folder_or_hub_id
from anyanomaly_transformers.errors import translate_errors
from anyanomaly_transformers.loading import quiet_logs

if TYPE_CHECKING:
    from torch import Tensor

REMAP_BYTES = 2**28
"""Bytes of tensors after which a file is mapped anew."""
WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # one file, or parts that an index beside them names


def find_checkpoint(model: str, revision: str = "main", only: Sequence[str] | None = None) -> Path:
    """Return the folder of a model: an existing folder, or that of a hub id, downloaded when it is not in the cache.

    The hub client reads its environment variables, for example HF_HUB_OFFLINE and HF_HOME.

    :param model: a folder or a hub id.
    :param only: patterns of the files to download; None: all.
    :raises UsageError: when ``model`` is empty.
    :raises MissingRequirement: when it is not on this machine and cannot be downloaded.
    """
    if not model:
        raise UsageError(
            "The option model is empty. Use --backend.model with a hub id or the folder of the checkpoint."
        )
    name = folder_or_hub_id(model, needs="")
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    with quiet_logs(), translate_errors(model):
        return Path(snapshot_download(model, revision=revision, allow_patterns=None if only is None else list(only)))


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of a checkpoint.

    :raises UsageError: when the file is missing. :raises BackendError: when it is no JSON, or no JSON object.
    """
    if not path.is_file():
        raise UsageError(f"The folder {str(path.parent)!r} holds no {path.name}. Give the folder of the model itself.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise BackendError(f"{str(path)!r} is no readable JSON: {error}") from error
    if not isinstance(content, dict):
        raise BackendError(f"{str(path)!r} holds no JSON object. {_DOWNLOAD_AGAIN}")
    return content


def read_config(folder: Path, model_types: Collection[str], name: str) -> dict[str, Any]:
    """Return ``config.json`` of a folder that holds a model of one of ``model_types``.

    :param name: the model's name, for the message.
    :raises UsageError: when it is another model.
    """
    config = read_json(folder / "config.json")
    if (model_type := config.get("model_type")) not in model_types:
        raise UsageError(
            f"The folder {str(folder)!r} holds a model of type {model_type!r}, and not {name}, whose type is "
            f"{' or '.join(map(repr, sorted(model_types)))}."
        )
    return config


class Tensors(Mapping[str, "Tensor"]):
    """The tensors of a checkpoint by name; values are mapped from disk on access, not copied.

    Pages of a mapped file count as memory of the process once they are read, until its mapping ends. So a file is
    mapped anew after `REMAP_BYTES`: what was read and not kept, because it was converted or quantised, takes no memory
    then. It may be read from several threads.

    :param path: a folder (``model.safetensors`` or ``pytorch_model.bin``, one file or parts with an index), or one
        file, ``.safetensors`` or written by ``torch.save``.
    :param inside: keys that lead to the tensors in a file of nested dictionaries, for example ``("model",)``.
    :raises MissingRequirement: when a file is missing.
    :raises BackendError: when one is damaged or holds Python code.
    """

    def __init__(self, path: Path, inside: Sequence[str] = ()) -> None:
        self._inside = tuple(inside)
        self._lock = threading.Lock()
        self._open_files: dict[Path, Mapping[str, Any]] = {}
        self._n_bytes: dict[Path, int] = {}  # that were returned since a file was mapped
        self._file_of = self._find_files(path)

    def __getitem__(self, name: str) -> Tensor:
        path = self._file_of[name]
        with self._lock:
            values = self._open(path)
            if name not in values:
                raise BackendError(
                    f"{path.name!r} lacks the tensor {name!r} that the index assigns to it. {_DOWNLOAD_AGAIN}"
                )
            value: Tensor = values[name]
            self._n_bytes[path] += value.nbytes
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._file_of)

    def __len__(self) -> int:
        return len(self._file_of)

    def _find_files(self, path: Path) -> dict[str, Path]:
        if path.is_file():
            return dict.fromkeys(self._open(path), path)
        for name in WEIGHTS:
            if (index := path / f"{name}.index.json").is_file():
                return _read_index(index)
            if (file := path / name).is_file():
                return dict.fromkeys(self._open(file), file)
        if not path.is_dir():
            raise MissingRequirement(f"There is no file {str(path)!r}. {_DOWNLOAD_AGAIN}")
        raise MissingRequirement(
            f"The folder {str(path)!r} holds no weights ({' or '.join(WEIGHTS)}). {_DOWNLOAD_AGAIN}"
        )

    def _open(self, path: Path) -> Mapping[str, Any]:
        is_safe = path.suffix == ".safetensors"
        if self._n_bytes.get(path, 0) > REMAP_BYTES and (is_safe or is_zipfile(path)):
            del self._open_files[path]
        if path not in self._open_files:
            self._open_files[path] = _SafeTensors(path) if is_safe else _read_pickle(path, self._inside)
            self._n_bytes[path] = 0
        return self._open_files[path]


_DOWNLOAD_AGAIN = "Download the complete checkpoint."


def _read_index(index: Path) -> dict[str, Path]:
    """Return the file of each tensor.

    :raises MissingRequirement: when one of the files is missing.
    """
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise BackendError(f"{str(index)!r} names no weights. {_DOWNLOAD_AGAIN}")
    files = {name: index.parent / str(part) for name, part in names.items()}
    if missing := sorted({path.name for path in files.values() if not path.is_file()}):
        raise MissingRequirement(
            f"The checkpoint in {str(index.parent)!r} lacks {', '.join(missing)}, which its index names. "
            f"{_DOWNLOAD_AGAIN}"
        )
    return files


class _SafeTensors(Mapping[str, Any]):
    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        open_file: Any = safe_open  # it has no type annotations
        try:
            self._file = open_file(path, framework="pt")
        except (SafetensorError, OSError) as error:
            raise _damaged_error(path, error) from error
        self._names = tuple(self._file.keys())

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return self._file.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _read_pickle(path: Path, inside: Sequence[str]) -> Mapping[str, Any]:
    """Return the tensors of a file of ``torch.save``, without running code in it."""
    import pickle

    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error) or "Unsupported" in str(error):
            raise BackendError(
                f"{path.name!r} holds Python code beside tensors, which would run on this machine, so it is not "
                "read. Download the weights from their authors, or as safetensors."
            ) from error
        raise _damaged_error(path, error) from error
    except Exception as error:  # torch raises many types for a truncated file
        raise _damaged_error(path, error) from error
    for key in inside:
        if not isinstance(content, Mapping) or key not in content:
            raise UsageError(f"{path.name!r} has no entry {key!r}, so it is not the right file.")
        content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise UsageError(f"{path.name!r} holds other values than tensors, so it is not the right file.")
    return content


def _damaged_error(path: Path, error: Exception) -> BackendError:
    return BackendError(
        f"{path.name!r} is truncated or damaged ({type(error).__name__}: {first_line(error)[:120]}). Download it again."
    )
