"""Checkpoints and results of the original, and the backend on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from anyanomaly_minigpt4.backend import MiniGpt4Backend
from anyanomaly_minigpt4.options import MiniGpt4Options

from tests.support.oracles import Oracle, read_oracle


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    return read_oracle("minigpt4-llama2")


@pytest.fixture(scope="session")
def load(oracle: Oracle) -> Callable[..., MiniGpt4Backend]:
    def make(model: Path = oracle.checkpoint, **options: Any) -> MiniGpt4Backend:
        backend = MiniGpt4Backend(MiniGpt4Options(**{"model": str(model), "device": "cpu"} | options))
        backend.load()
        return backend

    return make


@pytest.fixture(scope="session")
def backend(load: Callable[..., MiniGpt4Backend]) -> Iterator[MiniGpt4Backend]:
    with load() as loaded:
        yield loaded
