"""Where the originals' files and figures lie, and the backends on them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from anyanomaly_llavapp.backends import LlavaBackend, LlavaPpBackend
from anyanomaly_llavapp.options import LlavaOptions, LlavaPpOptions, VideoChatGptOptions
from anyanomaly_llavapp.videos import VideoChatGptBackend
from PIL import Image

from anyanomaly.types import Query, QueryId, Sampling
from tests.support.shared import shared

NAMES = ("llava-pp", "llava", "video-chatgpt")
Copied = Callable[[str], Path]
PP, OWN, BASE = "LLaVA-Meta-Llama-3-8B-Instruct-FT", "llava-v1.5-7b", "LLaVA-7B-Lightening-v1-1"


class Oracle(NamedTuple):
    """What an original computed, and from what."""

    folder: Path
    arrays: Any
    values: dict[str, Any]
    items: list[dict[str, Any]]

    @property
    def checkpoint(self) -> Path:
        """Return the folder that holds the checkpoint and its tower."""
        return self.folder / "checkpoint"

    def picture(self, name: str) -> Image.Image:
        """Return one of the pictures."""
        with Image.open(self.folder / "inputs" / name) as picture:
            return picture.convert("RGB")

    def query(self, item: dict[str, Any], **sampling: Any) -> Query:
        """Return the question of ``item`` about its picture."""
        sampled = Sampling(**{"max_tokens": 10} | sampling)
        images = (np.array(self.picture(item["image"])),)
        return Query(QueryId(item["name"], 0, item["keyword"], "key"), images, item["question"], sampling=sampled)


@cache
def oracle_of(name: str) -> Oracle:
    """Return the oracle of a backend, or skip, saying what is missing."""
    folder = shared("oracle", "lvlms", {"llava": "llava-1.5"}.get(name, name))
    values = json.loads((folder / "expected.json").read_text())["values"]
    items = json.loads((folder / "inputs" / "questions.json").read_text())["items"]
    return Oracle(folder, np.load(folder / "expected.npz"), values, items)


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
