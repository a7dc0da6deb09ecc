"""LLaVA++ exported: transformers and vLLM read the folder unchanged, and answer as the backend does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from anyanomaly_llavapp.export import export, main
from anyanomaly_transformers.backend import TransformersBackend
from anyanomaly_transformers.options import TransformersOptions
from anyanomaly_transformers.prefix.language import row
from anyanomaly_transformers.prefix.model import ImageSlot
from anyanomaly_transformers.prompting import render
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from anyanomaly.core.expected import SCORES, expected_score
from anyanomaly.errors import OutputError, UsageError
from anyanomaly.types import Query, Sampling
from plugins.llavapp.tests.conftest import OWN, PP, loaded, oracle_of

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


@torch.inference_mode()
def test_transformers_reads_the_prompt_the_pictures_and_the_weights(exported: Path) -> None:
    native = loaded("llava-pp")._model
    processor = AutoProcessor.from_pretrained(exported, backend="pil")
    model = AutoModelForImageTextToText.from_pretrained(exported, attn_implementation={"vision_config": "eager"})
    for query in varied():
        pictures = [Image.fromarray(image) for image in query.images]
        inputs = processor(
            images=pictures or None, text=render(processor, query), add_special_tokens=False, return_tensors="pt"
        )
        pieces = native.pieces(query)
        mark = [model.config.image_token_id] * 576
        ids = [token for piece in pieces for token in (mark if isinstance(piece, ImageSlot) else piece)]
        assert inputs["input_ids"][0].tolist() == ids
        if pictures:
            np.testing.assert_allclose(inputs["pixel_values"], native.pixels(pictures), atol=1e-5)
        images = [group[0] for group in native.encode_images([[each] for each in pictures])] if pictures else []
        embeds = row(native, pieces, {piece: images[piece.images[0]] for piece in pieces if isinstance(piece, ImageSlot)})
        np.testing.assert_allclose(model(**inputs).logits[0], native.language(inputs_embeds=embeds[None]).logits[0], atol=1e-5)
