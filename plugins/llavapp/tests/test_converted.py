"""A checkpoint in the layout of transformers gives the answers of the original layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from transformers import CLIPVisionConfig, CLIPVisionModel, LlavaConfig, LlavaForConditionalGeneration

from anyanomaly.core.expected import SCORES
from plugins.llavapp.tests.conftest import OWN, load_backend, make_backend, oracle_of

pytestmark = pytest.mark.engine


def convert(folder: Path) -> None:
    """Write the oracle's LLaVA-1.5 in the layout of transformers."""
    model, source = load_backend("llava")._model, oracle_of("llava").checkpoint
    tower = source / "openai" / "clip-vit-large-patch14-336"
    config = LlavaConfig(
        vision_config=CLIPVisionConfig.from_pretrained(tower).to_dict(),
        text_config=model.language.config.to_dict(),
        image_token_index=model.language.config.vocab_size - 1,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )
    converted = LlavaForConditionalGeneration(config)
    linears = {"0": "linear_1", "2": "linear_2"}
    state = {f"lm_head.{name}": value for name, value in model.language.lm_head.state_dict().items()}
    state |= {f"model.language_model.{name}": value for name, value in model.language.model.state_dict().items()}
    for name, value in model.projector.state_dict().items():
        layer, parameter = name.split(".")
        state[f"model.multi_modal_projector.{linears[layer]}.{parameter}"] = value
    tower_state = CLIPVisionModel.from_pretrained(tower).state_dict()
    state |= {f"model.vision_tower.{name}": value for name, value in tower_state.items()}
    converted.load_state_dict(state)
    converted.save_pretrained(folder)
    shutil.copy(tower / "preprocessor_config.json", folder)
    for name in ("tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(source / OWN / name, folder)


def test_answers_equal_those_of_the_original_layout(tmp_path: Path) -> None:
    convert(tmp_path / OWN)
    items = oracle_of("llava").items[:2]
    queries = [oracle_of("llava").query(item, choices=SCORES) for item in items]
    with make_backend("llava", tmp_path, profile="recommended") as backend:
        answers = backend.answer_batch(queries)
    for answer, expected in zip(answers, load_backend("llava").answer_batch(queries), strict=True):
        assert answer.logprobs == pytest.approx(expected.logprobs, abs=1e-4)
