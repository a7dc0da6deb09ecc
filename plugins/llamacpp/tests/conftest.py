"""A tiny Qwen2.5-VL, built once per test run, as a folder and as GGUF files, and queries about synthetic images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from anyanomaly_llamacpp.backend import GgufBackend
from anyanomaly_llamacpp.options import GgufOptions

from anyanomaly.types import Query, QueryId, Sampling
from plugins.demo.training.export_gguf import Files, export
from tests.support.tiny_models import make_model


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model("qwen2_5_vl", tmp_path_factory.mktemp("qwen2_5_vl"))


@pytest.fixture(scope="session")
def files(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    return export(folder, tmp_path_factory.mktemp("gguf"), "f32")


@pytest.fixture(scope="session")
def qwen(files: Files) -> Iterator[GgufBackend]:
    with GgufBackend(GgufOptions(model=str(files.model))) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def ask() -> Callable[..., Query]:
    def make(number: int = 0, *, n_images: int = 1, prompt: str = "Is there a bicycle?", **more: object) -> Query:
        random = np.random.default_rng(number)
        height, width = 48 + 16 * (number % 4), 96 - 8 * (number % 3)
        images = tuple(random.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(n_images))
        sampling = more.pop("sampling", Sampling(max_tokens=6))
        return Query(QueryId("video", number, "bicycle", "key"), images, prompt, sampling=sampling, **more)  # type: ignore[arg-type]

    return make
