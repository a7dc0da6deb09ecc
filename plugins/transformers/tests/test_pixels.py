"""Limits of an image's area, in each family that sizes images by area."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from anyanomaly_transformers.backend import TransformersBackend
from anyanomaly_transformers.options import TransformersOptions

from anyanomaly.errors import UsageError
from anyanomaly.types import Query

pytestmark = pytest.mark.engine
Checkpoint = Callable[[str], Path]


def load(model: Path, **limits: int) -> TransformersBackend:
    backend = TransformersBackend(TransformersOptions(model=str(model), device="cpu", **limits))  # type: ignore[arg-type]
    backend.load()
    return backend


def test_pixel_limits_change_the_models_input(checkpoint: Checkpoint, ask: Callable[..., Query]) -> None:
    query = ask(3)
    small, large = (
        load(checkpoint("qwen2_5_vl"), **limits) for limits in ({"max_pixels": 3136}, {"min_pixels": 20000})
    )
    tokens = [backend.answer_batch([query])[0].prompt_tokens for backend in (small, large)]
    assert tokens[0] is not None
    assert tokens[1] is not None
    assert tokens[0] < tokens[1]


@pytest.mark.parametrize(
    ("architecture", "limits", "pixels_per_token"),
    [
        ("qwen3_5", {"max_pixels": 8192}, 32 * 32),
        ("glm4v", {"max_pixels": 6272}, 28 * 28),  # its processor counts an image twice
        ("gemma4", {"min_pixels": 200_000, "max_pixels": 400_000}, 48 * 48),
    ],
)
def test_pixel_limits_hold_for_the_area_of_an_image(
    checkpoint: Checkpoint,
    ask: Callable[..., Query],
    architecture: str,
    limits: dict[str, int],
    pixels_per_token: int,
) -> None:
    with_image, without = load(checkpoint(architecture), **limits).answer_batch([ask(3), ask(3, n_images=0)])
    assert with_image.prompt_tokens is not None
    assert without.prompt_tokens is not None
    area = (with_image.prompt_tokens - without.prompt_tokens - 2) * pixels_per_token  # two tokens enclose the image
    assert limits.get("min_pixels", 0.5 * limits["max_pixels"]) <= area <= limits["max_pixels"]


def test_limits_that_no_size_of_gemma_4_meets_are_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(UsageError, match=r"161280, 322560, .*within the limits"):
        load(checkpoint("gemma4"), max_pixels=100_000)
