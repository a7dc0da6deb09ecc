"""Weights spread over devices, and quantised weights, with the packages that are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from anyanomaly_transformers.backend import TransformersBackend
from anyanomaly_transformers.options import TransformersOptions

from anyanomaly.core.expected import SCORES
from anyanomaly.types import Query, Sampling

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def model(checkpoint: Callable[[str], Path]) -> str:
    return str(checkpoint("qwen2_5_vl_of_64"))


@pytest.fixture(scope="module")
def reference(model: str) -> Iterator[TransformersBackend]:
    with TransformersBackend(TransformersOptions(model=model, device="cpu")) as loaded:
        yield loaded


@pytest.mark.parametrize(
    ("options", "within"),
    [({"device_map": "auto"}, 0), ({"quantization": "8bit"}, 0.2), ({"quantization": "4bit"}, 4)],
)
def test_device_map_and_quantisation_give_close_answers(
    reference: TransformersBackend,
    model: str,
    ask: Callable[..., Query],
    options: dict[str, str],
    within: float,
) -> None:
    queries = [ask(number, sampling=Sampling(choices=SCORES)) for number in range(3)]
    settings = {"model": model, "device": "cpu", **options}
    with TransformersBackend(TransformersOptions.model_validate(settings)) as backend:
        for own, exact in zip(backend.answer_batch(queries), reference.answer_batch(queries), strict=True):
            assert own.logprobs == pytest.approx(exact.logprobs, abs=within)
            assert (own.logprobs == exact.logprobs) == ("device_map" in options)  # quantisation changes them
        assert (backend.fingerprint == reference.fingerprint) == ("device_map" in options)
