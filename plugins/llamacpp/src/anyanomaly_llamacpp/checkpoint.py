"""From a model's name to its two files on this machine, and what identifies their content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from anyanomaly.errors import MissingRequirement, UsageError
from anyanomaly.kit import HubFile, download_error, hub_file, require_model, sampled_digest
from anyanomaly_llamacpp.options import GgufOptions

# The text architectures that the projectors with an attachment of their own are made for.
MADE_FOR = {
    "qwen2vl_merger": {"qwen2vl"},
    "qwen2.5vl_merger": {"qwen2vl"},
    "qwen3vl_merger": {"qwen3vl", "qwen3vlmoe"},
    "gemma3": {"gemma3"},
}
PROJECTOR = "clip"  # the architecture that projectors name


class Place(NamedTuple):
    """A file, and what names its content."""

    path: Path
    identity: str


def find_files(options: GgufOptions) -> tuple[Place, Place]:
    """Return the model and its projector, downloaded when they come from a hub.

    :raises UsageError: when no model is named, or it is not clear which projector is meant.
    :raises MissingRequirement: when a file is not there and cannot be had.
    """
    require_model(options.model, backend="gguf", example="a .gguf file or hub/repo:file.gguf", preset="qwen-gguf")
    model = _place(options.model, options.revision)
    if options.mmproj:
        return model, _place(options.mmproj, options.revision)
    if hub := _hub(options.model):
        names = _projectors_of(hub.repository, options.revision, model.path.parent)
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
    beside = f"{hub.repository}:{names[0]}" if hub else str(model.path.parent / names[0])
    return model, _place(beside, options.revision)


def _is_projector(name: str) -> bool:
    return "mmproj" in name.lower()


def _hub(name: str) -> HubFile | None:
    file = hub_file(name)
    return file if file and file.file.endswith(".gguf") else None


def _place(name: str, revision: str) -> Place:
    if hub := _hub(name):
        path = _downloaded(hub.repository, hub.file, revision)
        commit = path.parts[path.parts.index("snapshots") + 1] if "snapshots" in path.parts else revision
        return Place(path, f"{hub.repository}@{commit}:{hub.file}")
    path = Path(name).expanduser()
    if path.is_dir():
        raise UsageError(f"{name!r} is a folder. Give the .gguf file in it.")
    if not path.is_file():
        raise MissingRequirement(
            f"There is no model file {name!r}. Give an existing .gguf file, or one of a hub as hub/repo:file.gguf."
        )
    return Place(path, sampled_digest(path))


def _downloaded(repo: str, file: str, revision: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repo, file, revision=revision))
    except Exception as error:
        raise download_error(f"{file!r} of {repo!r}", error, local="file") from error


def _projectors_of(repo: str, revision: str, snapshot: Path) -> list[str]:
    """Return the repository's projectors; without the hub those downloaded before."""
    from huggingface_hub import list_repo_files

    try:
        files: Any = list_repo_files(repo, revision=revision)
    except Exception:
        files = [path.name for path in snapshot.glob("*.gguf")]
    return sorted(name for name in files if name.endswith(".gguf") and _is_projector(name))


def check_pair(text: Mapping[str, Any], vision: Mapping[str, Any], model: str, mmproj: str) -> None:
    """Check the headers of a model and of its projector.

    :raises UsageError: when one is not what it is given as, or they do not belong together.
    """
    architecture = text.get("general.architecture", "")
    if architecture == PROJECTOR:
        raise UsageError(f"{model!r} is a projector. Give the language model's file as --backend.model.")
    if vision.get("general.architecture") != PROJECTOR:
        raise UsageError(f"{mmproj!r} is not a projector. Give the mmproj file of the model as --backend.mmproj.")
    if not vision.get("clip.has_vision_encoder"):
        raise UsageError(f"The projector {mmproj!r} does not see images. Use a model with vision.")
    kind = vision.get("clip.projector_type", "")
    made_for = MADE_FOR.get(kind)
    needed_by = {name for names in MADE_FOR.values() for name in names}
    fits = architecture in made_for if made_for else architecture not in needed_by
    if not fits:
        raise UsageError(
            f"The projector {mmproj!r} (type {kind}) does not belong to {model!r} (a {architecture}). "
            "Give the mmproj file that comes with the model."
        )
