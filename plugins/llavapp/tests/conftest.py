"""Checkpoints and results of the originals, and the backends on them."""

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
CopyCheckpoint = Callable[[str], Path]
PP, OWN, BASE = "LLaVA-Meta-Llama-3-8B-Instruct-FT", "llava-v1.5-7b", "LLaVA-7B-Lightening-v1-1"


def oracle_of(name: str) -> Oracle:
    """Return the results of a backend's original, or skip with the reason."""
    return read_oracle({"llava": "llava-1.5"}.get(name, name))


def make_backend(name: str, checkpoint: Path | None = None, **options: Any) -> Any:
    """Return a backend, not loaded, on the original's checkpoint or a copy of it."""
    folder = checkpoint or oracle_of(name).checkpoint
    settings = {"device": "cpu"} | options
    if name == "llava-pp":
        return LlavaPpBackend(LlavaPpOptions(**{"model": str(folder / PP)} | settings))
    if name == "llava":
        return LlavaBackend(LlavaOptions(**{"model": str(folder / OWN)} | settings))
    adapter = str(folder / "Video-ChatGPT-7B")
    return VideoChatGptBackend(VideoChatGptOptions(**{"model": str(folder / BASE), "adapter": adapter} | settings))


@cache
def load_backend(name: str, profile: str = "recommended") -> Any:
    """Return a loaded backend, one per name and profile; with "recommended", queries set the decoding."""
    backend = make_backend(name, profile=profile)
    backend.load()
    return backend


def edit(path: Path, **values: object) -> None:
    """Change values in a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def copy_checkpoint(tmp_path: Path) -> CopyCheckpoint:
    """Return a function that copies a checkpoint with its tower, for tests that change files."""

    def copy(name: str) -> Path:
        folder = Path(shutil.copytree(oracle_of(name).checkpoint, tmp_path / name))
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        return folder

    return copy
