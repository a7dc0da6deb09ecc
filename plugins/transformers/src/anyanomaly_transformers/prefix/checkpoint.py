"""Original checkpoint layouts: where they lie, and the tensors in them, each read when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyanomaly.errors import BackendError, MissingRequirement, UsageError
from anyanomaly.kit import folder_or_hub_id
from anyanomaly_transformers.errors import translate_errors
from anyanomaly_transformers.loading import quiet_logs

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # each alone, or in parts that an index beside them names


def find_checkpoint(model: str, revision: str = "main", only: Sequence[str] | None = None) -> Path:
    """Return the folder of a model: an existing one, or what the hub has under that id, downloaded where needed.

    The hub client's environment variables count, HF_HUB_OFFLINE and HF_HOME among them.

    :param only: patterns of the files to download; None: all.
    :raises UsageError: when no model is named. :raises MissingRequirement: when it is neither here nor to be had.
    """
    if not model:
        raise UsageError("No model is named. Use --backend.model with a hub id or the folder of the checkpoint.")
    name = folder_or_hub_id(model, needs="")
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    with quiet_logs(), translate_errors(model):
        return Path(snapshot_download(model, revision=revision, allow_patterns=None if only is None else list(only)))


def read_json(path: Path) -> dict[str, Any]:
    """Return what a JSON file of a checkpoint says.

    :raises UsageError: when it is not there. :raises BackendError: when it is not a JSON table.
    """
    if not path.is_file():
        raise UsageError(f"The folder {str(path.parent)!r} holds no {path.name}. Give the folder of the model itself.")
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise BackendError(f"{str(path)!r} is no readable JSON: {error}") from error
    if not isinstance(read, dict):
        raise BackendError(f"{str(path)!r} holds no table. Get the complete checkpoint.")
    return read


def read_config(folder: Path, wanted: Collection[str], name: str) -> dict[str, Any]:
    """Return ``config.json`` of a folder that holds a model of one of the types ``wanted``.

    :param name: what the model is called, for the message.
    :raises UsageError: when it is another model.
    """
    config = read_json(folder / "config.json")
    if (found := config.get("model_type")) not in wanted:
        raise UsageError(
            f"The folder {str(folder)!r} holds a model of type {found!r}, and not {name}, whose type is "
            f"{' or '.join(map(repr, sorted(wanted)))}."
        )
    return config


class Tensors(Mapping[str, "Tensor"]):
    """The tensors of a checkpoint by name. Names are known at once; values are mapped from disk, not copied.

    :param place: a folder (``model.safetensors`` or ``pytorch_model.bin``, whole or in parts with an index), or one
        file, ``.safetensors`` or what ``torch.save`` wrote.
    :param inside: where in the file's tables the tensors lie, for example ``("model",)``.
    :raises MissingRequirement: when a file is missing. :raises BackendError: when one is broken or holds code.
    """

    def __init__(self, place: Path, inside: Sequence[str] = ()) -> None:
        self._inside = tuple(inside)
        self._open: dict[Path, Mapping[str, Any]] = {}
        self._where = self._parts(place)

    def __getitem__(self, name: str) -> Tensor:
        path = self._where[name]
        values = self._opened(path)
        if name not in values:
            raise BackendError(f"{path.name!r} lacks the tensor {name!r} that the index places there. {_AGAIN}")
        value: Tensor = values[name]
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._where)

    def __len__(self) -> int:
        return len(self._where)

    def _parts(self, place: Path) -> dict[str, Path]:
        if place.is_file():
            return dict.fromkeys(self._opened(place), place)
        for name in WEIGHTS:
            if (index := place / f"{name}.index.json").is_file():
                return _indexed(index)
            if (whole := place / name).is_file():
                return dict.fromkeys(self._opened(whole), whole)
        if not place.is_dir():
            raise MissingRequirement(f"There is no file {str(place)!r}. {_AGAIN}")
        raise MissingRequirement(f"The folder {str(place)!r} holds no weights ({' or '.join(WEIGHTS)}). {_AGAIN}")

    def _opened(self, path: Path) -> Mapping[str, Any]:
        if path not in self._open:
            self._open[path] = _SafeTensors(path) if path.suffix == ".safetensors" else _pickled(path, self._inside)
        return self._open[path]


_AGAIN = "Get the complete checkpoint."


def _indexed(index: Path) -> dict[str, Path]:
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise BackendError(f"{str(index)!r} names no weights. {_AGAIN}")
    where = {name: index.parent / str(part) for name, part in names.items()}
    if lacking := sorted({path.name for path in where.values() if not path.is_file()}):
        raise MissingRequirement(
            f"The checkpoint in {str(index.parent)!r} lacks {', '.join(lacking)}, which its index names. {_AGAIN}"
        )
    return where


class _SafeTensors(Mapping[str, Any]):
    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        mapped: Any = safe_open  # it has no types
        try:
            self._file = mapped(path, framework="pt")
        except (SafetensorError, OSError) as error:
            raise _damaged(path, error) from error
        self._names = tuple(self._file.keys())

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return self._file.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _pickled(path: Path, inside: Sequence[str]) -> Mapping[str, Any]:
    """Return the tensors of a file of ``torch.save``; no code in it is run."""
    import pickle
    from zipfile import is_zipfile

    import torch

    try:
        read = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error) or "Unsupported" in str(error):
            raise BackendError(
                f"{path.name!r} holds Python code beside tensors, which would run on this machine, so it is not "
                "read. Get the weights from their authors, or as safetensors."
            ) from error
        raise _damaged(path, error) from error
    except Exception as error:  # torch raises many kinds for a file cut short
        raise _damaged(path, error) from error
    for key in inside:
        if not isinstance(read, Mapping) or key not in read:
            raise UsageError(f"{path.name!r} holds no table {key!r}, so it is not the file that is wanted here.")
        read = read[key]
    if not isinstance(read, Mapping) or not all(isinstance(value, torch.Tensor) for value in read.values()):
        raise UsageError(f"{path.name!r} holds no table of tensors, so it is not the file that is wanted here.")
    return read


def _damaged(path: Path, error: Exception) -> BackendError:
    first = (str(error).splitlines() or [""])[0]
    return BackendError(
        f"{path.name!r} is cut short or damaged ({type(error).__name__}: {first[:120]}). Download it again."
    )
