"""Against what the originals computed: prompts, pixels, embeddings of images, logits, continuations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from anyanomaly_llavapp.model import LlavaModel
from anyanomaly_llavapp.profiles import LLAVA, LLAVA_PP
from anyanomaly_llavapp.video_model import VideoChatGptModel, chosen_frames
from anyanomaly_transformers.prefix.generation import generate
from anyanomaly_transformers.prefix.model import ImageSlot
from anyanomaly_transformers.prefix.prompts import embed_prompt, pad_batch
from PIL import Image

from anyanomaly.types import Query, QueryId, Sampling
from plugins.llavapp.tests.conftest import loaded, oracle_of
from tests.support.oracles import ITEMS, Oracle

pytestmark = pytest.mark.engine

CASES = [
    ("llava-pp", "", LLAVA_PP["paper"]),
    ("llava", "", LLAVA["paper"]),
    ("llava", "vicuna_v1/", LLAVA["recommended"]),
]


@pytest.fixture
def model(name: str) -> Iterator[Any]:
    """Give a loaded model whose profile may be changed."""
    model = loaded(name)._model
    profile = model.profile
    yield model
    model.profile = profile


def grey(processor: Any, pixels: torch.Tensor) -> Any:
    mean, std = (torch.tensor(each)[:, None, None] for each in (processor.image_mean, processor.image_std))
    return ((pixels * std + mean) * 255).round().numpy()


def flat(pieces: Sequence[Sequence[int] | ImageSlot], image: Sequence[int]) -> list[int]:
    return [token for piece in pieces for token in (image if isinstance(piece, ImageSlot) else piece)]


def continued(model: Any, query: Query, image: torch.Tensor) -> tuple[Any, list[int]]:
    """Return the logits of the whole prompt, and ten greedy tokens."""
    pieces = model.pieces(query)
    embeds = embed_prompt(model, pieces, {piece: image for piece in pieces if isinstance(piece, ImageSlot)})
    logits = model.language(inputs_embeds=embeds[None]).logits[0].numpy()
    return logits, generate(model, pad_batch([embeds]), [query])[0]


@pytest.mark.parametrize("item", range(6), ids=ITEMS)
@pytest.mark.parametrize(("name", "under", "profile"), CASES, ids=["llava-pp", "llava_v1", "vicuna_v1"])
@torch.inference_mode()
def test_llava_is_the_original(name: str, under: str, profile: Any, item: int, model: LlavaModel) -> None:
    oracle = oracle_of(name)
    asked = oracle.items[item]
    key = f"{asked['name']}/{under}"
    model.profile = replace(profile, decoding=None)
    query = oracle.query(asked)
    np.testing.assert_array_equal(flat(model.pieces(query), [-200]), oracle.arrays[f"{key}input_ids"])
    ((image,),) = model.encode_images([[Image.fromarray(query.images[0])]])
    if f"{asked['name']}/visual" in oracle.arrays:
        np.testing.assert_allclose(image[::8], oracle.arrays[f"{asked['name']}/visual"], atol=1e-5)
    logits, tokens = continued(model, query, image)
    rows = oracle.arrays[f"{key}logits_rows_at"]
    np.testing.assert_allclose(logits[rows], oracle.arrays[f"{key}logits_rows"], atol=1e-5)
    np.testing.assert_allclose(logits[-1], oracle.arrays[f"{key}logits_last"], atol=1e-5)
    if f"{key}generated" in oracle.arrays:
        assert tokens == oracle.arrays[f"{key}generated"].tolist()


@pytest.mark.parametrize("name", ["llava-pp", "llava"])
def test_pictures_become_the_originals_input(name: str, model: LlavaModel) -> None:
    oracle = oracle_of(name)
    for asked in oracle.items[:5]:
        key = asked["name"]
        (pixels,) = model.pixels([oracle.picture(asked["image"])])
        down, across = oracle.values[f"{key}/pixels_strided_step"]
        np.testing.assert_allclose(pixels[:, ::down, ::across], oracle.arrays[f"{key}/pixels_strided"], atol=1e-6)
        assert float(pixels.double().abs().sum()) == pytest.approx(oracle.values[f"{key}/pixels"]["abs_sum"], abs=1e-2)
        if f"{key}/pixels_u8" in oracle.arrays:
            np.testing.assert_array_equal(grey(model._processor, pixels), oracle.arrays[f"{key}/pixels_u8"])


def test_the_chosen_frames_are_the_originals() -> None:
    told = oracle_of("video-chatgpt").values["frame_indices"]
    assert {key: chosen_frames(int(key.rpartition("_")[2])) for key in told} == told
    assert chosen_frames(0) == []


def frames_of(oracle: Oracle, video: str) -> list[Image.Image]:
    whole = {name: oracle.picture(f"{name}.png") for name in ("frame_856x480", "frame_640x360")}
    cuts = oracle.values[f"{video}/frames"]
    return [whole[name].crop((x, y, x + width, y + height)) for name, x, y, width, height in cuts]


@pytest.mark.parametrize("name", ["video-chatgpt"])
@pytest.mark.parametrize("n_frames", [1, 24, 130])
@torch.inference_mode()
def test_video_chatgpt_is_the_original(n_frames: int, name: str, model: VideoChatGptModel) -> None:
    oracle, video = oracle_of(name), f"video_{n_frames}"
    frames = frames_of(oracle, video)
    images = tuple(np.array(frame) for frame in frames)
    query = Query(QueryId("v", 0, "t", "key"), images, oracle.values["question"], sampling=Sampling(max_tokens=10))
    pieces = model.pieces(query)
    patches = [oracle.values["added_ids"]["patch"]] * 356
    np.testing.assert_array_equal(flat(pieces, patches), oracle.arrays["input_ids"])
    (slot,) = (piece for piece in pieces if isinstance(piece, ImageSlot))
    chosen = [frames[place] for place in slot.images]
    shown, at = (video, 0) if n_frames == 1 else (f"{video}/frame_5", 5)
    pixels = model.pixels(chosen)
    np.testing.assert_allclose(pixels[at, :, ::14, ::14], oracle.arrays[f"{shown}/pixels_strided"], atol=1e-6)
    if f"{shown}/pixels_u8" in oracle.arrays:
        np.testing.assert_array_equal(grey(model._processor, pixels[at]), oracle.arrays[f"{shown}/pixels_u8"])
    half = oracle.arrays[f"{video}/pooled_float16"]
    pooled = half.astype(np.float32)
    # The last bits of features are the processor's, and half precision makes a step of one: the original's own, here.
    assert (np.abs(model.pooled(chosen).float().numpy() - pooled) <= 1e-5 + np.abs(np.spacing(half))).all()
    stride = 1 if n_frames == 1 else 4
    shown_as = model.projector(torch.from_numpy(pooled))
    np.testing.assert_allclose(shown_as[::stride], oracle.arrays[f"{video}/visual"], atol=1e-5)
    ((image,),) = model.encode_images([chosen])
    assert continued(model, query, image)[1] == oracle.arrays[f"{video}/generated"].tolist()
    # From the original's own pooled numbers on, all is equal. Its last layer has rows for the marks, drawn at random.
    logits, _ = continued(model, query, shown_as)
    rows = oracle.arrays[f"{video}/logits_rows_at"]
    n_words = logits.shape[1]
    np.testing.assert_allclose(logits[rows], oracle.arrays[f"{video}/logits_rows"][:, :n_words], atol=1e-5)
