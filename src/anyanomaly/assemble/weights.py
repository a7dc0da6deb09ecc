"""Weights that a run is about to download: whether, how much, and to where."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyanomaly.errors import MissingRequirement

WEIGHTS = (".safetensors", ".gguf", ".bin")
TIMEOUT_S = 10.0


def hub_cache() -> Path:
    """Return the folder that the Hugging Face hub's client downloads to."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def download(options: Mapping[str, Any]) -> str:
    """Return a sentence on the download that a backend's options lead to; empty: nothing is to be downloaded.

    :param options: a component's, as it will get them; ``model`` with a
        ``revision`` may be a hub id, or ``hub/repo:file``.
    :raises MissingRequirement: when the weights are neither on this machine nor to be had.
    """
    repository, _, file = str(options.get("model", "")).partition(":")
    if "revision" not in options or not _is_hub_id(repository) or _is_here(repository, file):  # else no hub model
        return ""
    try:
        n_bytes = _size(repository, file, str(options.get("revision") or "main"))
    except Exception as error:  # the hub's client raises what it and its own client like
        raise MissingRequirement(
            f"The model {repository} is not on this machine and cannot be downloaded ({_reason(error)}). Give a model "
            f"that is there with --backend.model, or run `hf download {repository}` where there is a network and bring "
            f"{hub_cache()}. Without either, `anyanomaly demo` shows the method with tiny models."
        ) from error
    return f"downloading {repository}, {n_bytes / 1e9:.1f} GB, to {hub_cache()} (HF_HOME decides where), once"


def _is_hub_id(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~")) and not Path(name).exists()


def _is_here(repository: str, file: str) -> bool:
    """Tell whether weights of a repository are in the cache, whatever their revision, and none is half there."""
    folder = hub_cache() / f"models--{repository.replace('/', '--')}"
    if any((folder / "blobs").glob("*.incomplete")):
        return False
    names = [path.name for path in (folder / "snapshots").glob("*/*")]
    return file in names if file else any(name.endswith(WEIGHTS) for name in names)


def _size(repository: str, file: str, revision: str) -> int:
    """Ask the hub for the bytes of a model's weights.

    Of a file of a repository the projectors beside it count too; of a whole one the best format, at the top.
    """
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        raise ConnectionError("HF_HUB_OFFLINE is set")
    found = HfApi().model_info(repository, revision=revision, files_metadata=True, timeout=TIMEOUT_S)
    sizes = {each.rfilename: each.size or 0 for each in found.siblings or ()}
    if file:
        return sizes.get(file, 0) + max((size for name, size in sizes.items() if "mmproj" in name), default=0)
    by_suffix = [sum(size for name, size in sizes.items() if name.endswith(s) and "/" not in name) for s in WEIGHTS]
    return next(filter(None, by_suffix), 0)


def _reason(error: Exception) -> str:
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text.rstrip(".") if len(text) <= 160 else f"{text[:157]}..."
