"""An exported LLaVA++: transformers and vLLM load the folder, and give the backend's answers."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from anyanomaly_llavapp.export import export, main
from anyanomaly_transformers.prefix.model import ImageSlot
from anyanomaly_transformers.prefix.prompts import embed_prompt
from anyanomaly_transformers.prompts import render_prompt
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from anyanomaly.core.expected import SCORES, expected_score
from anyanomaly.errors import OutputError, UsageError
from anyanomaly.types import Query
from plugins.llavapp.tests.conftest import OWN, PP, CopyCheckpoint, edit, load_backend, make_backend, oracle_of

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("exported") / "llava-pp"
    export(str(oracle_of("llava-pp").checkpoint / PP), target)
    return target


def make_queries(**sampling: Any) -> list[Query]:
    """Return queries about each image, about two, about none, with a system text, and with the text first."""
    oracle = oracle_of("llava-pp")
    queries = [oracle.query(item, **sampling) for item in oracle.items]
    images, options = queries[0].images + queries[2].images, {"sampling": queries[0].sampling}
    ids = [queries[0].id._replace(segment=1000 + number) for number in range(4)]
    more = [
        Query(ids[0], images, " Two cars?", **options),
        Query(ids[1], images, "A car?", text_first=True, **options),
        Query(ids[2], (), "A car?", system="You are brief.", **options),
        Query(ids[3], images[:1], "A car?", system="You are brief.", **options),
    ]
    return queries + more


def widen_heads(folder: Path) -> None:
    """Give the language model heads of width 32: vLLM supports no narrower ones on a CPU."""
    edit(folder / "config.json", num_attention_heads=3, num_key_value_heads=3)
    for part in folder.glob("*.safetensors"):
        state = load_file(part)
        doubled = {name: torch.cat([value, value]) for name, value in state.items() if re.search("[kv]_proj", name)}
        save_file(state | doubled, part)


@torch.inference_mode()
def test_transformers_gives_the_prompts_pixels_and_logits_of_the_backend(exported: Path) -> None:
    native = load_backend("llava-pp")._model
    processor = AutoProcessor.from_pretrained(exported, backend="pil")
    model = AutoModelForImageTextToText.from_pretrained(exported, attn_implementation={"vision_config": "eager"})
    for query in make_queries():
        pil_images = [Image.fromarray(image) for image in query.images]
        inputs = processor(
            images=pil_images or None,
            text=render_prompt(processor, query),
            add_special_tokens=False,
            return_tensors="pt",
        )
        pieces = native.pieces(query)
        image_tokens = [model.config.image_token_id] * 576
        ids = [token for piece in pieces for token in (image_tokens if isinstance(piece, ImageSlot) else piece)]
        assert inputs["input_ids"][0].tolist() == ids
        if pil_images:
            np.testing.assert_allclose(inputs["pixel_values"], native.preprocess(pil_images), atol=1e-5)
        images = [group[0] for group in native.encode_images([[image] for image in pil_images])] if pil_images else []
        embeds = embed_prompt(
            native, pieces, {piece: images[piece.images[0]] for piece in pieces if isinstance(piece, ImageSlot)}
        )
        np.testing.assert_allclose(
            model(**inputs).logits[0], native.language(inputs_embeds=embeds[None]).logits[0], atol=1e-5
        )


def test_vllm_gives_the_answers_of_the_backend(copy_checkpoint: CopyCheckpoint, tmp_path: Path) -> None:
    vllm = pytest.importorskip("anyanomaly_vllm.backend")
    options = pytest.importorskip("anyanomaly_vllm.options")
    folder = copy_checkpoint("llava-pp")
    widen_heads(folder / PP)
    export(str(folder / PP), tmp_path / "exported")
    choice_queries, open_queries = make_queries(choices=SCORES), make_queries(max_tokens=6)[:3]
    with make_backend("llava-pp", folder, profile="recommended") as native:
        expected_scored, expected_texts = native.answer_batch(choice_queries), native.answer_batch(open_queries)
    with vllm.VllmBackend(options.VllmOptions(model=str(tmp_path / "exported"), kv_cache_gib=0.5)) as served:
        for answer, expected in zip(served.answer_batch(choice_queries), expected_scored, strict=True):
            assert answer.prompt_tokens == expected.prompt_tokens
            assert answer.logprobs == pytest.approx(expected.logprobs, abs=0.05)  # pixels are up to two grey levels off
            assert expected_score(answer.logprobs)[0] == pytest.approx(expected_score(expected.logprobs)[0], abs=0.02)
        texts = [answer.text for answer in served.answer_batch(open_queries)]
        assert texts == [answer.text for answer in expected_texts]


def test_another_model_is_an_error_before_a_file_is_written(
    copy_checkpoint: CopyCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="no reserved token"):
        export(str(oracle_of("llava").checkpoint / OWN), tmp_path / "target")
    folder = copy_checkpoint("llava-pp") / PP
    next(folder.glob("model-*.safetensors")).unlink()
    monkeypatch.setattr(sys, "argv", ["export", str(folder), str(tmp_path / "target")])
    assert main() == 3
    assert "lacks model-0000" in capsys.readouterr().err
    assert not (tmp_path / "target").exists()
    with pytest.raises(OutputError, match="exists already"):
        export(str(folder), tmp_path)
