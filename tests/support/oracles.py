"""Reference values: what the original code of vision-language models computed on tiny checkpoints."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from anyanomaly.types import Query, QueryId, Sampling
from tests.support.shared import shared

ITEMS = (
    "frame_856x480",
    "frame_640x360",
    "square_224x224",
    "small_320x240",
    "portrait_270x480",
    "square_224x224_temporal",
)


class Oracle(NamedTuple):
    """The inputs and outputs of one original."""

    folder: Path
    arrays: Any
    values: dict[str, Any]
    items: list[dict[str, Any]]

    @property
    def checkpoint(self) -> Path:
        """Return the folder of the checkpoint and its vision tower."""
        return self.folder / "checkpoint"

    def picture(self, name: str) -> Image.Image:
        """Return an input image by its file name."""
        with Image.open(self.folder / "inputs" / name) as picture:
            return picture.convert("RGB")

    def query(self, item: dict[str, Any], **sampling: Any) -> Query:
        """Return the query of ``item``: its question about its image."""
        parameters = Sampling(**{"max_tokens": 10} | sampling)
        images = (np.array(self.picture(item["image"])),)
        return Query(QueryId(item["name"], 0, item["keyword"], "key"), images, item["question"], sampling=parameters)


@cache
def read_oracle(name: str) -> Oracle:
    """Return the oracle in the folder ``name``; skip the test when it is missing."""
    folder = shared("oracle", "lvlms", name)
    values = json.loads((folder / "expected.json").read_text())["values"]
    items = json.loads((folder / "inputs" / "questions.json").read_text())["items"]
    return Oracle(folder, np.load(folder / "expected.npz"), values, items)
