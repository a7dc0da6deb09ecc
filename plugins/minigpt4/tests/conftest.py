"""Where the original's files and figures lie, and the backend on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from anyanomaly_minigpt4.backend import MiniGPT4Backend
from anyanomaly_minigpt4.options import MiniGPT4Options
from PIL import Image

from anyanomaly.types import Query, QueryId, Sampling
from tests.support.shared import shared


class Oracle(NamedTuple):
    """What the original computed, and from what."""

    folder: Path
    arrays: Any
    values: dict[str, Any]
    items: list[dict[str, Any]]

    def query(self, item: dict[str, Any], **sampling: Any) -> Query:
        """Return the question of ``item`` about its picture."""
        with Image.open(self.folder / "inputs" / item["image"]) as picture:
            image = np.array(picture.convert("RGB"))
        sampled = Sampling(**{"max_tokens": 10} | sampling)
        return Query(QueryId(item["name"], 0, item["keyword"], "key"), (image,), item["question"], sampling=sampled)


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    folder = shared("oracle", "lvlms", "minigpt4-llama2")
    values = json.loads((folder / "expected.json").read_text())["values"]
    items = json.loads((folder / "inputs" / "questions.json").read_text())["items"]
    return Oracle(folder, np.load(folder / "expected.npz"), values, items)


@pytest.fixture(scope="session")
def load(oracle: Oracle) -> Callable[..., MiniGPT4Backend]:
    def make(model: Path = oracle.folder / "checkpoint", **options: Any) -> MiniGPT4Backend:
        backend = MiniGPT4Backend(MiniGPT4Options(**{"model": str(model), "device": "cpu"} | options))
        backend.load()
        return backend

    return make


@pytest.fixture(scope="session")
def backend(load: Callable[..., MiniGPT4Backend]) -> Iterator[MiniGPT4Backend]:
    with load() as loaded:
        yield loaded
