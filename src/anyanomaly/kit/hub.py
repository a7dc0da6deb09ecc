"""A model's name: a folder or file on this machine, or weights on the Hugging Face hub. No network is used here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from anyanomaly.api import Download
from anyanomaly.errors import MissingRequirement, UsageError

EXAMPLE = "Qwen/Qwen2.5-VL-3B-Instruct"
_FILE = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+):(?P<file>.+)", re.ASCII)


class HubFile(NamedTuple):
    """One file of a repository on the hub, written ``owner/name:file``."""

    repository: str
    file: str


def is_hub_id(name: str) -> bool:
    """Return whether a name reads as ``owner/name``; a path such as ``./name`` or ``~/name`` does not."""
    return not name.startswith((".", "~", "/")) and name.count("/") == 1 and "\\" not in name


def hub_file(name: str) -> HubFile | None:
    """Return the repository and file that ``owner/name:file`` names; None: another form, or a path that exists."""
    match = None if Path(name).expanduser().exists() else _FILE.fullmatch(name)
    return HubFile(match["repository"], match["file"]) if match else None


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
    """Return the path of the folder that ``model`` names, ``~`` expanded, or the hub id as it is.

    :param needs: a file that the folder must hold; empty: none.
    :raises UsageError: when the folder lacks it.
    :raises MissingRequirement: when there is no such folder and the name is no hub id.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if needs and not (folder / needs).is_file():
            raise UsageError(f"The folder {model!r} holds no {needs}. Give the folder of the model itself.")
        return str(folder)
    if not is_hub_id(model):
        raise MissingRequirement(
            f"There is no model folder {model!r}. Give an existing folder, or a hub id such as {EXAMPLE}."
        )
    return model


def hub_downloads(name: str, revision: str = "main", option: str = "model") -> tuple[Download, ...]:
    """Return the download that an option's value stands for, for ``Options.downloads``.

    :param name: a hub id, ``owner/name:file``, or a path.
    :param option: the option's name, for messages.
    :returns: one download; none for a path, a name that exists on this machine, or an empty one.
    """
    file = hub_file(name)
    if file is not None:
        return (Download(file.repository, revision or "main", file.file, option),)
    if is_hub_id(name) and not Path(name).exists():
        return (Download(name, revision or "main", option=option),)
    return ()
