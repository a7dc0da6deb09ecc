"""Where the originals' files and figures lie, and the backends on them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from anyanomaly_llavapp.backend import LlavaBackend, LlavaPpBackend, VideoChatGptBackend
from anyanomaly_llavapp.options import LlavaOptions, LlavaPpOptions, VideoChatGptOptions

from tests.support.oracles import Oracle, read_oracle

NAMES = ("llava-pp", "llava", "video-chatgpt")
Copied = Callable[[str], Path]
PP, OWN, BASE = "LLaVA-Meta-Llama-3-8B-Instruct-FT", "llava-v1.5-7b", "LLaVA-7B-Lightening-v1-1"


def oracle_of(name: str) -> Oracle:
    """Return what a backend's original computed, or skip, saying what is missing."""
    return read_oracle({"llava": "llava-1.5"}.get(name, name))


def made(name: str, checkpoint: Path | None = None, **options: Any) -> Any:
    """Return a backend, not loaded, on the original's checkpoint or a copy of it."""
    folder = checkpoint or oracle_of(name).checkpoint
    given = {"device": "cpu"} | options
    if name == "llava-pp":
        return LlavaPpBackend(LlavaPpOptions(**{"model": str(folder / PP)} | given))
    if name == "llava":
        return LlavaBackend(LlavaOptions(**{"model": str(folder / OWN)} | given))
    adapter = str(folder / "Video-ChatGPT-7B")
    return VideoChatGptBackend(VideoChatGptOptions(**{"model": str(folder / BASE), "adapter": adapter} | given))


@cache
def loaded(name: str, profile: str = "recommended") -> Any:
    """Return a backend, loaded once; its recommended conversation decodes as the question says."""
    backend = made(name, profile=profile)
    backend.load()
    return backend


def edit(path: Path, **values: object) -> None:
    """Change values in a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def copied(tmp_path: Path) -> Copied:
    """Copy a checkpoint with its tower, to be spoiled."""

    def copy(name: str) -> Path:
        folder = Path(shutil.copytree(oracle_of(name).checkpoint, tmp_path / name))
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        return folder

    return copy
