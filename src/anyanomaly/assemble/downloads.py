"""Weights that a run is about to download: whether, how much, and to where."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from anyanomaly.api.downloads import Download
from anyanomaly.assemble.resolve import ResolvedRun
from anyanomaly.errors import MissingRequirement
from anyanomaly.kit import first_line

WEIGHTS = (".safetensors", ".gguf", ".bin")
TIMEOUT_S = 10.0


def hub_cache() -> Path:
    """Return the folder that the Hugging Face hub's client downloads to."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def announce_downloads(run: ResolvedRun) -> Iterator[str]:
    """Yield a sentence for each download that the components of a run need.

    :raises MissingRequirement: when weights are not on this machine and cannot be downloaded.
    """
    for component, download in run.downloads:
        if not is_present(download):
            yield announce(download, f"--{component.path}.{download.option.replace('_', '-')}")


def is_present(download: Download) -> bool:
    """Return whether the weights are in the hub's cache, whatever their revision, and none of them is incomplete."""
    folder = hub_cache() / f"models--{download.repository.replace('/', '--')}"
    if any((folder / "blobs").glob("*.incomplete")):
        return False
    names = [path.name for path in (folder / "snapshots").glob("*/*")]
    return download.file in names if download.file else any(name.endswith(WEIGHTS) for name in names)


def announce(download: Download, option: str) -> str:
    """Return what is downloaded, how large it is and where it goes.

    :param option: the flag that names other weights. :raises MissingRequirement: when it cannot be downloaded.
    """
    repository = download.repository
    try:
        n_bytes = _query_size(download)
    except Exception as error:  # the hub's client raises its own errors and those of its HTTP client
        raise MissingRequirement(
            f"The model {repository} is not on this machine and cannot be downloaded ({_reason(error)}). Name a model "
            f"that is on this machine with {option}, or run `hf download {repository}` where there is a network and "
            f"copy {hub_cache()} from there. Without either, `anyanomaly demo` shows the method with tiny models."
        ) from error
    return f"downloading {repository}, {n_bytes / 1e9:.1f} GB, to {hub_cache()} (HF_HOME decides where), once"


def _query_size(download: Download) -> int:
    """Ask the hub for the bytes of a model's weights.

    For a GGUF file these are the file and its projector; for a repository the files of its first format in WEIGHTS,
    without subfolders.
    """
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        raise ConnectionError("HF_HUB_OFFLINE is set")
    info = HfApi().model_info(download.repository, revision=download.revision, files_metadata=True, timeout=TIMEOUT_S)
    sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or ()}
    if download.file:
        projectors = (size for name, size in sizes.items() if "mmproj" in name)
        return sizes.get(download.file, 0) + max(projectors, default=0)
    by_suffix = [sum(size for name, size in sizes.items() if name.endswith(s) and "/" not in name) for s in WEIGHTS]
    return next(filter(None, by_suffix), 0)


def _reason(error: Exception) -> str:
    text = first_line(error)
    return text.rstrip(".") if len(text) <= 160 else f"{text[:157]}..."
