"""A model's name: a folder or file on this machine, or weights on the Hugging Face hub. No network is used here."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from anyanomaly.api import Download
from anyanomaly.errors import MissingRequirement, UsageError
from anyanomaly.outside_text import storable_text

EXAMPLE = "Qwen/Qwen2.5-VL-3B-Instruct"
_FILE = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+):(?P<file>.+)", re.ASCII)


class HubFile(NamedTuple):
    """One file of a repository on the hub, written ``owner/name:file``."""

    repository: str
    file: str


def is_hub_id(name: str) -> bool:
    """Return whether a name reads as ``owner/name``; a path such as ``./name`` or ``~/name`` does not."""
    return not name.startswith((".", "~", "/")) and name.count("/") == 1 and "\\" not in name


def local_path(name: str, *, is_name: bool) -> Path | None:
    """Return the file or folder that an option's value names, ``~`` expanded; None: there is none.

    :param is_name: whether the value also names something else, for example a model on the hub.
    :raises UsageError: when it names both: a file that lies in the current folder must not stand in for the model; when
        the name is not UTF-8, which the libraries that load weights cannot open; for a pipe or a device, also in the
        folder.
    """
    path = Path(name).expanduser()
    if not os.path.exists(path):  # False, not an error, for a name that is no path
        return None
    if is_name and not name.startswith((".", "~")) and not path.is_absolute():
        raise UsageError(
            f"'{name}' is the name of a model, and there is a file or folder of this name here. Write ./{name} for "
            f"the one that is here; for the model, rename it or work in another folder."
        )
    if storable_text(name) != name:
        raise UsageError(f"Weights cannot be loaded from {name}, because the name is not UTF-8. Rename it.")
    for file in path.iterdir() if path.is_dir() else (path,):
        if file.exists() and not (file.is_file() or file.is_dir()):  # a library that opens a pipe waits for ever
            raise UsageError(f"Weights cannot be loaded from {name}: {file.name} is a pipe or a device. Remove it.")
    return path


def hub_file(name: str) -> HubFile | None:
    """Return the repository and file that ``owner/name:file`` names; None: another form.

    :raises UsageError: when it is also a path of a file here.
    """
    match = _FILE.fullmatch(name)
    if match is None or name.startswith(".") or local_path(name, is_name=True):
        return None
    return HubFile(match["repository"], match["file"])


def require_model(model: str, *, backend: str, example: str, preset: str) -> None:
    """Check that the user named a model.

    :param example: allowed values, for the message: "a hub id such as ... or a folder".
    :param preset: a backend with a default model.
    :raises UsageError: when ``model`` is empty.
    """
    if not model:
        raise UsageError(
            f"Backend {backend!r} needs a model. Use --backend.model with {example}, "
            f"or a preset such as --backend {preset}."
        )


def folder_or_hub_id(model: str, *, needs: str = "config.json") -> str:
    """Return the absolute path of the folder that ``model`` names, ``~`` expanded, or the hub id as it is.

    :param needs: a file that the folder must hold; empty: none.
    :raises UsageError: when the folder lacks it, or when ``model`` is both a hub id and a folder here.
    :raises MissingRequirement: when there is no such folder and the name is no hub id.
    """
    folder = local_path(model, is_name=is_hub_id(model))
    if folder and folder.is_dir():
        if needs and not (folder / needs).is_file():
            raise UsageError(f"The folder {model!r} holds no {needs}. Give the folder of the model itself.")
        return str(folder.absolute())  # "owner/name" would read as a hub id again
    if not is_hub_id(model):
        raise MissingRequirement(
            f"There is no model folder {model!r}. Give an existing folder, or a hub id such as {EXAMPLE}."
        )
    return model


def hub_downloads(name: str, revision: str = "main", option: str = "model") -> tuple[Download, ...]:
    """Return the download that an option's value stands for, for ``Options.downloads``.

    :param name: a hub id, ``owner/name:file``, or a path.
    :param option: the option's name, for messages.
    :returns: one download; none for a path or an empty name.
    :raises UsageError: when ``name`` is both a name on the hub and a path here.
    """
    file = hub_file(name)
    if file is not None:
        return (Download(file.repository, revision or "main", file.file, option),)
    if is_hub_id(name) and not local_path(name, is_name=True):
        return (Download(name, revision or "main", option=option),)
    return ()
