"""Checkpoints and results of the originals, and the backend on them."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from anyanomaly_minicpm.backend import MiniCpmBackend
from anyanomaly_minicpm.options import MiniCpmOptions
from PIL import Image

from anyanomaly.types import Query, QueryId, Sampling
from tests.support.shared import shared

CHECKPOINTS = {
    "2.5": "minicpm-llama3-v-2.5/checkpoint/MiniCPM-Llama3-V-2_5",
    "2.6": "minicpm-v-2.6/checkpoint/MiniCPM-V-2_6",
}


class Oracle(NamedTuple):
    """Results of an original, and its inputs."""

    checkpoint: Path
    arrays: Any
    values: dict[str, Any]
    items: list[dict[str, Any]]

    def picture(self, name: str) -> Image.Image:
        """Return an RGB image of the inputs."""
        with Image.open(self.checkpoint.parents[1] / "inputs" / name) as picture:
            return picture.convert("RGB")

    def query(self, item: dict[str, Any], **sampling: Any) -> Query:
        """Return the question of ``item`` about its image."""
        image = np.array(self.picture(item["image"]))
        settings = Sampling(**{"max_tokens": 10} | sampling)
        return Query(QueryId(item["name"], 0, item["keyword"], "key"), (image,), item["question"], sampling=settings)


@cache
def oracle_of(version: str) -> Oracle:
    checkpoint = shared("oracle", "lvlms", *CHECKPOINTS[version].split("/"))
    folder = checkpoint.parents[1]
    values = json.loads((folder / "expected.json").read_text())["values"]
    items = json.loads((folder / "inputs" / "questions.json").read_text())["items"]
    return Oracle(checkpoint, np.load(folder / "expected.npz"), values, items)


def make_backend(version: str, folder: Path | None = None, **options: Any) -> MiniCpmBackend:
    """Return the backend on the checkpoint of ``version``, or on a changed one in ``folder``; not loaded."""
    model = folder or oracle_of(version).checkpoint
    return MiniCpmBackend(MiniCpmOptions(**{"model": str(model), "device": "cpu"} | options))


@cache
def load_backend(version: str, positions: str = "published") -> MiniCpmBackend:
    """Return a loaded backend; one per set of options."""
    backend = make_backend(version, positions=positions)
    backend.load()
    return backend


@pytest.fixture
def copy_checkpoint(tmp_path: Path) -> Any:
    def copy(version: str) -> Path:
        folder = Path(shutil.copytree(oracle_of(version).checkpoint, tmp_path / "copy"))
        for path in (folder, *folder.iterdir()):
            path.chmod(0o755)
        return folder

    return copy
