"""LLaVA++ exported: transformers and vLLM read the folder unchanged, and answer as the backend does."""

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
from plugins.llavapp.tests.conftest import OWN, PP, Copied, edit, loaded, made, oracle_of

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("exported") / "llava-pp"
    export(str(oracle_of("llava-pp").checkpoint / PP), target)
    return target


def varied(**sampling: Any) -> list[Query]:
    """Return questions about each picture, about two, about none, with a system text, and with the text first."""
    oracle = oracle_of("llava-pp")
    queries = [oracle.query(item, **sampling) for item in oracle.items]
    images, how = queries[0].images + queries[2].images, {"sampling": queries[0].sampling}
    more = [
        Query(queries[0].id, images, " Two cars?", **how),
        Query(queries[0].id, images, "A car?", text_first=True, **how),
        Query(queries[0].id, (), "A car?", system="You are brief.", **how),
        Query(queries[0].id, images[:1], "A car?", system="You are brief.", **how),
    ]
    return queries + more


def widened(folder: Path) -> None:
    """Give the language model heads of 32 numbers: vLLM knows no narrower ones on a CPU."""
    edit(folder / "config.json", num_attention_heads=3, num_key_value_heads=3)
    for part in folder.glob("*.safetensors"):
        state = load_file(part)
        doubled = {name: torch.cat([value, value]) for name, value in state.items() if re.search("[kv]_proj", name)}
        save_file(state | doubled, part)


@torch.inference_mode()
def test_transformers_reads_the_prompt_the_pictures_and_the_weights(exported: Path) -> None:
    native = loaded("llava-pp")._model
    processor = AutoProcessor.from_pretrained(exported, backend="pil")
    model = AutoModelForImageTextToText.from_pretrained(exported, attn_implementation={"vision_config": "eager"})
    for query in varied():
        pictures = [Image.fromarray(image) for image in query.images]
        inputs = processor(
            images=pictures or None, text=render_prompt(processor, query), add_special_tokens=False, return_tensors="pt"
        )
        pieces = native.pieces(query)
        mark = [model.config.image_token_id] * 576
        ids = [token for piece in pieces for token in (mark if isinstance(piece, ImageSlot) else piece)]
        assert inputs["input_ids"][0].tolist() == ids
        if pictures:
            np.testing.assert_allclose(inputs["pixel_values"], native.pixels(pictures), atol=1e-5)
        images = [group[0] for group in native.encode_images([[each] for each in pictures])] if pictures else []
        embeds = embed_prompt(
            native, pieces, {piece: images[piece.images[0]] for piece in pieces if isinstance(piece, ImageSlot)}
        )
        np.testing.assert_allclose(
            model(**inputs).logits[0], native.language(inputs_embeds=embeds[None]).logits[0], atol=1e-5
        )


def test_vllm_answers_as_the_backend(copied: Copied, tmp_path: Path) -> None:
    vllm = pytest.importorskip("anyanomaly_vllm.backend")
    options = pytest.importorskip("anyanomaly_vllm.options")
    folder = copied("llava-pp")
    widened(folder / PP)
    export(str(folder / PP), tmp_path / "exported")
    asked, written = varied(choices=SCORES), varied(max_tokens=6)[:3]
    with made("llava-pp", folder, profile="recommended") as native:
        known, words = native.answer_batch(asked), native.answer_batch(written)
    with vllm.VllmBackend(options.VllmOptions(model=str(tmp_path / "exported"), kv_cache_gib=0.5)) as served:
        for answer, alike in zip(served.answer_batch(asked), known, strict=True):
            assert answer.prompt_tokens == alike.prompt_tokens
            assert answer.logprobs == pytest.approx(alike.logprobs, abs=0.05)  # pixels are up to two grey levels off
            assert expected_score(answer.logprobs)[0] == pytest.approx(expected_score(alike.logprobs)[0], abs=0.02)
        assert [answer.text for answer in served.answer_batch(written)] == [answer.text for answer in words]


def test_what_is_no_llava_pp_is_told_before_anything_is_written(
    copied: Copied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="no reserved token"):
        export(str(oracle_of("llava").checkpoint / OWN), tmp_path / "target")
    folder = copied("llava-pp") / PP
    next(folder.glob("model-*.safetensors")).unlink()
    monkeypatch.setattr(sys, "argv", ["export", str(folder), str(tmp_path / "target")])
    assert main() == 3
    assert "lacks model-0000" in capsys.readouterr().err
    assert not (tmp_path / "target").exists()
    with pytest.raises(OutputError, match="is there already"):
        export(str(folder), tmp_path)
