"""Checkpoints and results of the original, and the backend on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from anyanomaly_chatunivi.backend import ChatUniViBackend
from anyanomaly_chatunivi.options import ChatUniViOptions

from anyanomaly.types import Query, QueryId, Sampling
from tests.support.oracles import Oracle, read_oracle

OWN, CLIP = "Chat-UniVi", "openai/clip-vit-large-patch14"


def oracle() -> Oracle:
    """Return the results of the original, or skip with the reason."""
    return read_oracle("chat-univi")


def video(n_frames: int) -> Query:
    """Return a question about a video of ``n_frames``."""
    pictures = {name: oracle().picture(f"{name}.png") for name in ("frame_856x480", "frame_640x360")}
    frames = oracle().values[f"video_{n_frames}/frames"]
    images = tuple(np.array(pictures[name].crop((x, y, x + 224, y + 224))) for name, x, y in frames)
    question, sampling = oracle().items[0]["question"], Sampling(max_tokens=10)
    return Query(QueryId("v", 0, "t", "key"), images, question, sampling=sampling)


def make_backend(checkpoint: Path | None = None, **options: Any) -> ChatUniViBackend:
    """Return a backend, not loaded, on the original's checkpoint or a copy of it."""
    folder = checkpoint or oracle().checkpoint
    return ChatUniViBackend(ChatUniViOptions(**{"model": str(folder / OWN), "device": "cpu"} | options))


@cache
def load_backend(**options: Any) -> ChatUniViBackend:
    """Return a loaded backend; one per set of options."""
    backend = make_backend(**options)
    backend.load()
    return backend


@pytest.fixture
def copy_checkpoint(tmp_path: Path) -> Callable[[], Path]:
    """Return a function that copies the checkpoint with its tower, for tests that change files."""

    def copy() -> Path:
        folder = Path(shutil.copytree(oracle().checkpoint, tmp_path / "copy"))
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        return folder

    return copy
