"""From a model's name to its two files on this machine, and what identifies their content."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, NamedTuple

from anyanomaly.errors import BackendError, MissingRequirement, UsageError
from anyanomaly_llamacpp.options import GGUFOptions

_HUB = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+):(?P<file>.+\.gguf)", re.ASCII)
_SAMPLES, _SAMPLE = 1024, 4096  # parts of a file that its digest reads, and the bytes of each


class Place(NamedTuple):
    """A file, and what names its content."""

    path: Path
    identity: str


def find(options: GGUFOptions) -> tuple[Place, Place]:
    """Return the model and its projector, downloaded when they come from a hub.

    :raises UsageError: when no model is named, or it is not clear which projector is meant.
    :raises MissingRequirement: when a file is not there and cannot be had.
    """
    if not options.model:
        raise UsageError(
            "Backend 'gguf' needs a model. Use --backend.model with a .gguf file or hub/repo:file.gguf, "
            "or a preset such as --backend qwen-gguf."
        )
    model = _place(options.model, options.revision)
    if options.mmproj:
        return model, _place(options.mmproj, options.revision)
    if hub := _hub(options.model):
        names = _projectors_of(hub["repo"], options.revision, model.path.parent)
    else:
        names = sorted(path.name for path in model.path.parent.glob("*.gguf") if _is_projector(path.name))
    names = [name for name in names if name != model.path.name]
    if len(names) > 1:  # one projector in several precisions: half is what all of them were made from
        names = [name for name in names if "f16" in name.lower() and "bf16" not in name.lower()] or names
    if not names:
        raise MissingRequirement(
            f"There is no projector (mmproj) beside model {options.model!r}, so it cannot see. "
            "Give its file with --backend.mmproj, or use a model with vision."
        )
    if len(names) > 1:
        raise UsageError(
            f"Several projectors are beside model {options.model!r}: {', '.join(names)}. "
            "Say which with --backend.mmproj."
        )
    beside = f"{hub['repo']}:{names[0]}" if hub else str(model.path.parent / names[0])
    return model, _place(beside, options.revision)


def _is_projector(name: str) -> bool:
    return "mmproj" in name.lower()


def _hub(name: str) -> re.Match[str] | None:
    return None if Path(name).expanduser().exists() else _HUB.fullmatch(name)


def _place(name: str, revision: str) -> Place:
    if hub := _hub(name):
        path = _downloaded(hub["repo"], hub["file"], revision)
        commit = path.parts[path.parts.index("snapshots") + 1] if "snapshots" in path.parts else revision
        return Place(path, f"{hub['repo']}@{commit}:{hub['file']}")
    path = Path(name).expanduser()
    if path.is_dir():
        raise UsageError(f"{name!r} is a folder. Give the .gguf file in it.")
    if not path.is_file():
        raise MissingRequirement(
            f"There is no model file {name!r}. Give an existing .gguf file, or one of a hub as hub/repo:file.gguf."
        )
    return Place(path, digest(path))


def _downloaded(repo: str, file: str, revision: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repo, file, revision=revision))
    except Exception as error:
        raise MissingRequirement(
            f"{file!r} of {repo!r} cannot be had from the Hugging Face hub: {_first_line(error)} "
            "Check the names and the network, run 'hf auth login' for a gated model, or give a local file."
        ) from error


def _projectors_of(repo: str, revision: str, snapshot: Path) -> list[str]:
    """Return the repository's projectors; without the hub those downloaded before."""
    from huggingface_hub import list_repo_files

    try:
        files: Any = list_repo_files(repo, revision=revision)
    except Exception:
        files = [path.name for path in snapshot.glob("*.gguf")]
    return sorted(name for name in files if name.endswith(".gguf") and _is_projector(name))


def digest(path: Path) -> str:
    """Return what identifies the content of ``path``, the same wherever it lies.

    Of a large file parts all over it are read: training changes every tensor, and reading gigabytes would take as
    long as loading them.
    """
    size = path.stat().st_size
    found = hashlib.sha256(str(size).encode())
    try:
        with path.open("rb") as file:
            if size <= _SAMPLES * _SAMPLE:
                found.update(file.read())
            else:
                for part in range(_SAMPLES):
                    file.seek((size - _SAMPLE) * part // (_SAMPLES - 1))
                    found.update(file.read(_SAMPLE))
    except OSError as error:
        raise BackendError(f"The file {path.name!r} cannot be read: {error.strerror}.") from error
    return found.hexdigest()[:32]


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
