"""Today's architectures: vLLM scores each tiny checkpoint as transformers does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anyanomaly_vllm.backend import VllmBackend
from anyanomaly_vllm.options import VllmOptions

from anyanomaly.errors import UsageError
from tests.support.engine_scores import SIZES, ask_transformers, ask_vllm
from tests.support.tiny_models import TODAY, make_model

pytestmark = pytest.mark.engine

HALF_PRECISION = {"qwen3_5", "minicpmv4_6"}  # on a CPU vLLM computes their delta nets in bfloat16 only
LIMITS: dict[str, dict[str, int]] = {
    "qwen3_vl": {"max_pixels": 8192},
    "gemma4": {"min_pixels": 200_000},
    "glm4v": {"max_pixels": 6272},
}


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("models")
    return {
        name: {"model": str(make_model(name, folder / name)), **LIMITS.get(name, {})}  # one start tests limits too
        for name in TODAY
    }


@pytest.fixture(scope="module")
def answers(options: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return dict(zip(options, ask_vllm(*options.values()), strict=True))


@pytest.fixture(scope="module")
def reference(options: dict[str, dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    by_name: dict[str, dict[str, Any]] = {}

    def get(name: str) -> dict[str, Any]:
        if name not in by_name:
            by_name[name] = ask_transformers(**options[name])
        return by_name[name]

    return get


@pytest.mark.parametrize("name", TODAY)
def test_scores_and_words_are_those_of_transformers(
    name: str, answers: dict[str, dict[str, Any]], reference: Callable[[str], dict[str, Any]]
) -> None:
    ours, theirs = answers[name], reference(name)
    assert "error" not in ours
    assert ours["prompt_tokens"] == theirs["prompt_tokens"]
    half = name in HALF_PRECISION
    assert ours["scores"] == pytest.approx(theirs["scores"], abs=0.02 if half else 1e-3)
    if not half:  # where two tokens are nearly equal, rounding decides
        assert ours["words"] == theirs["words"]


@pytest.mark.parametrize("name", TODAY)
def test_a_query_scores_the_same_alone_in_a_batch_and_again(name: str, answers: dict[str, dict[str, Any]]) -> None:
    ours = answers[name]
    tolerance = 0.02 if name in HALF_PRECISION else 1e-4
    assert ours["again"] == pytest.approx(ours["scores"], abs=tolerance)
    assert ours["alone"] == pytest.approx(ours["scores"], abs=tolerance)


@pytest.mark.parametrize("name", TODAY)
def test_the_tiny_models_scores_depend_on_the_image(name: str, reference: Callable[[str], dict[str, Any]]) -> None:
    """Else an engine that ignores images would pass the other tests."""
    scores = reference(name)["scores"][: len(SIZES)]
    assert max(scores) - min(scores) > 0.05
    assert min(reference(name)["mass"]) > 1e-7


def test_a_delta_net_in_single_precision_is_refused_on_a_cpu(options: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(UsageError, match="in bfloat16 only on a CPU, not in float32"):
        VllmBackend(VllmOptions(**options["qwen3_5"], dtype="float32")).load()


def test_checkpoints_need_no_code_of_their_own(options: dict[str, dict[str, Any]]) -> None:
    for setting in options.values():
        assert "auto_map" not in json.loads((Path(setting["model"]) / "config.json").read_text())


def test_image_tokens_that_see_each_other_are_refused_on_a_cpu(tmp_path: Path) -> None:
    """As in the large models of Gemma 4: vLLM's attention on a CPU would ignore it."""
    folder = make_model("gemma4_bidirectional", tmp_path)
    with pytest.raises(UsageError, match=r"computes model .* wrongly.*backend transformers"):
        VllmBackend(VllmOptions(model=str(folder))).load()
