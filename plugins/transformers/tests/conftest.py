"""Tiny checkpoints, built once per test run, and queries about synthetic images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from anyanomaly_transformers.backend import TransformersBackend
from anyanomaly_transformers.options import TransformersOptions

from anyanomaly.types import Query, QueryId, Sampling
from tests.support.tiny_models import ARCHITECTURES, TODAY, make_model


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folders: dict[str, Path] = {}

    def get(architecture: str) -> Path:
        if architecture not in folders:
            folders[architecture] = make_model(architecture, tmp_path_factory.mktemp(architecture))
        return folders[architecture]

    return get


@pytest.fixture(scope="session", params=sorted(ARCHITECTURES | TODAY))
def backend(request: pytest.FixtureRequest, checkpoint: Callable[[str], Path]) -> Iterator[TransformersBackend]:
    with TransformersBackend(TransformersOptions(model=str(checkpoint(request.param)), device="cpu")) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def qwen(checkpoint: Callable[[str], Path]) -> Iterator[TransformersBackend]:
    with TransformersBackend(TransformersOptions(model=str(checkpoint("qwen2_5_vl")), device="cpu")) as loaded:
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
