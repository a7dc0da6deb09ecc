"""Where the original's files and figures lie, and the backend on them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from anyanomaly_chatunivi.backend import ChatUniViBackend
from anyanomaly_chatunivi.options import ChatUniViOptions
from PIL import Image

from anyanomaly.types import Query, QueryId, Sampling
from tests.support.shared import shared

OWN, CLIP = "Chat-UniVi", "openai/clip-vit-large-patch14"


class Oracle(NamedTuple):
    """What the original computed, and from what."""

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

    def video(self, n_frames: int, **sampling: Any) -> Query:
        """Return a question about a video of ``n_frames``."""
        whole = {name: self.picture(f"{name}.png") for name in ("frame_856x480", "frame_640x360")}
        frames = self.values[f"video_{n_frames}/frames"]
        images = tuple(np.array(whole[name].crop((x, y, x + 224, y + 224))) for name, x, y in frames)
        sampled = Sampling(**{"max_tokens": 10} | sampling)
        return Query(QueryId("v", 0, "t", "key"), images, self.items[0]["question"], sampling=sampled)


@cache
def oracle() -> Oracle:
    """Return the oracle, or skip, saying what is missing."""
    folder = shared("oracle", "lvlms", "chat-univi")
    values = json.loads((folder / "expected.json").read_text())["values"]
    items = json.loads((folder / "inputs" / "questions.json").read_text())["items"]
    return Oracle(folder, np.load(folder / "expected.npz"), values, items)


def made(checkpoint: Path | None = None, **options: Any) -> ChatUniViBackend:
    """Return a backend, not loaded, on the original's checkpoint or a copy of it."""
    folder = checkpoint or oracle().checkpoint
    return ChatUniViBackend(ChatUniViOptions(**{"model": str(folder / OWN), "device": "cpu"} | options))


@cache
def loaded(**options: Any) -> ChatUniViBackend:
    """Return a backend, loaded once."""
    backend = made(**options)
    backend.load()
    return backend


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[], Path]:
    """Copy the checkpoint with its tower, to be spoiled."""

    def copy() -> Path:
        folder = Path(shutil.copytree(oracle().checkpoint, tmp_path / "copy"))
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        return folder

    return copy
