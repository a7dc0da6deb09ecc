"""One tiny checkpoint and one engine for all tests: an engine takes a minute to start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from anyanomaly_vllm.backend import VllmBackend
from anyanomaly_vllm.options import VllmOptions

from anyanomaly.core.expected import SCORES
from anyanomaly.types import Query, QueryId, Sampling
from tests.support.tiny_models import make_model

LENGTH = 768


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model("qwen2_5_vl", tmp_path_factory.mktemp("qwen2_5_vl"))


@pytest.fixture(scope="session")
def options(folder: Path) -> VllmOptions:
    return VllmOptions(model=str(folder), kv_cache_gib=0.5, batch_size=8, max_model_len=LENGTH)


@pytest.fixture(scope="session")
def ask() -> Callable[..., Query]:
    def make(number: int = 0, *, n_images: int = 1, prompt: str = "Is there a bicycle?", **more: object) -> Query:
        random = np.random.default_rng(number)
        height, width = 48 + 16 * (number % 4), 96 - 8 * (number % 3)
        images = tuple(random.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(n_images))
        sampling = more.pop("sampling", Sampling(max_tokens=6))
        return Query(QueryId("video", number, "bicycle", "key"), images, prompt, sampling=sampling, **more)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def backend(options: VllmOptions, ask: Callable[..., Query]) -> Iterator[VllmBackend]:
    with VllmBackend(options) as loaded:
        loaded.answer_batch([ask(0, n_images=3, sampling=Sampling(choices=SCORES))])  # sizes the engine for all tests
        yield loaded
