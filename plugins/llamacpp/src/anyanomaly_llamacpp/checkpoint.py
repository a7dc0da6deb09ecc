"""The two files of a model, language model and projector: their paths, what identifies them, whether they fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from anyanomaly.errors import MissingRequirement, UsageError
from anyanomaly.kit import HubFile, download_error, hub_file, require_model, sampled_digest
from anyanomaly_llamacpp.options import GgufOptions

# Text architectures of the projectors that fit no other architecture.
ARCHITECTURES = {
    "qwen2vl_merger": {"qwen2vl"},
    "qwen2.5vl_merger": {"qwen2vl"},
    "qwen3vl_merger": {"qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe"},
    "minicpmv4_6": {"qwen35"},
    "gemma3": {"gemma3"},
    "gemma4v": {"gemma4"},
    "gemma4uv": {"gemma4"},
    "lfm2": {"lfm2", "lfm2moe"},
    "glm4v": {"glm4", "glm4moe"},
}
PRECISION = re.compile(r"[-_.](bf16|f16|f32|q\d\w*)(?=[-_.])")  # in the name of a file
PRECISIONS = ("f16", "bf16", "f32")  # of a projector, the best first: half precision is fast everywhere
PROJECTOR = "clip"  # general.architecture of a projector's file


class ModelFile(NamedTuple):
    """A file, and what identifies its content: a digest, or its repository with the commit."""

    path: Path
    identity: str


def find_files(options: GgufOptions) -> tuple[ModelFile, ModelFile]:
    """Return the model and its projector, downloaded when they are named by repository.

    :raises UsageError: when no model is named, or several projectors could be its own.
    :raises MissingRequirement: when a file is not on this machine and cannot be downloaded.
    """
    require_model(options.model, backend="gguf", example="a .gguf file or hub/repo:file.gguf", preset="qwen-gguf")
    model = _find_file(options.model, options.revision)
    if options.mmproj:
        return model, _find_file(options.mmproj, options.revision)
    if hub := _gguf_on_hub(options.model):
        names = _list_projectors(hub.repository, options.revision, model.path.parent)
    else:
        names = sorted(path.name for path in model.path.parent.glob("*.gguf") if _is_projector(path.name))
    names = [name for name in names if name != model.path.name]
    names = _choose_precision(names)
    if not names:
        raise MissingRequirement(
            f"There is no projector (mmproj) beside model {options.model!r}, so it cannot see images. "
            "Give its file with --backend.mmproj, or use a model with vision."
        )
    if len(names) > 1:
        raise UsageError(
            f"There are several projectors beside model {options.model!r}: {', '.join(names)}. "
            "Choose one with --backend.mmproj."
        )
    projector = f"{hub.repository}:{names[0]}" if hub else str(model.path.parent / names[0])
    return model, _find_file(projector, options.revision)


def _is_projector(name: str) -> bool:
    return "mmproj" in name.lower()


def _choose_precision(names: list[str]) -> list[str]:
    """Return each projector once, of several precisions the first of `PRECISIONS`, or the first name."""

    def rank(name: str) -> int:
        precision = PRECISION.search(name.lower())
        return PRECISIONS.index(precision[1]) if precision and precision[1] in PRECISIONS else len(PRECISIONS)

    projectors: dict[str, str] = {}
    for name in sorted(names, key=rank):
        projectors.setdefault(PRECISION.sub("", name.lower()), name)
    return sorted(projectors.values())


def _gguf_on_hub(name: str) -> HubFile | None:
    file = hub_file(name)
    return file if file and file.file.endswith(".gguf") else None


def _find_file(name: str, revision: str) -> ModelFile:
    if hub := _gguf_on_hub(name):
        path = _download(hub, revision)
        commit = path.parts[path.parts.index("snapshots") + 1] if "snapshots" in path.parts else revision
        return ModelFile(path, f"{hub.repository}@{commit}:{hub.file}")
    path = Path(name).expanduser()
    if path.is_dir():
        raise UsageError(f"{name!r} is a folder. Give the .gguf file in it.")
    if not path.is_file():
        raise MissingRequirement(
            f"There is no model file {name!r}. Give an existing .gguf file, or one of the hub as hub/repo:file.gguf."
        )
    return ModelFile(path, sampled_digest(path))


def _download(hub: HubFile, revision: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(hub.repository, hub.file, revision=revision))
    except Exception as error:
        raise download_error(f"{hub.file!r} of {hub.repository!r}", error, local="file") from error


def _list_projectors(repository: str, revision: str, snapshot: Path) -> list[str]:
    """Return the projectors in a repository; without a network those in its snapshot on this machine."""
    from huggingface_hub import list_repo_files

    try:
        files: Any = list_repo_files(repository, revision=revision)
    except Exception:
        files = [path.name for path in snapshot.glob("*.gguf")]
    return sorted(name for name in files if name.endswith(".gguf") and _is_projector(name))


def check_pair(text: Mapping[str, Any], vision: Mapping[str, Any], model: str, mmproj: str) -> None:
    """Check that a model and a projector fit each other.

    :param text: header of the model. :param vision: header of the projector.
    :param model: name of the model's file. :param mmproj: name of the projector's file.
    :raises UsageError: when one is no model or no projector, or they do not fit.
    """
    architecture = text.get("general.architecture", "")
    if architecture == PROJECTOR:
        raise UsageError(f"{model!r} is a projector. Give the language model's file as --backend.model.")
    if vision.get("general.architecture") != PROJECTOR:
        raise UsageError(f"{mmproj!r} is not a projector. Give the mmproj file of the model as --backend.mmproj.")
    if not vision.get("clip.has_vision_encoder"):
        raise UsageError(f"The projector {mmproj!r} does not take images. Use a model with vision.")
    projector_type = vision.get("clip.projector_type") or vision.get("clip.vision.projector_type", "")
    with_own_projector = {name for names in ARCHITECTURES.values() for name in names}
    if projector_type in ARCHITECTURES:
        fits = architecture in ARCHITECTURES[projector_type]
    else:
        fits = architecture not in with_own_projector
    if not fits:
        raise UsageError(
            f"The projector {mmproj!r} (type {projector_type}) does not fit {model!r} (architecture {architecture}). "
            "Give the mmproj file that comes with the model."
        )
