"""Equality with the originals: prompts, pixels, embeddings of images, logits, greedy answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from anyanomaly_llavapp.model import LlavaModel
from anyanomaly_llavapp.profiles import LLAVA, LLAVA_PP
from anyanomaly_llavapp.video_model import VideoChatGptModel, sample_frames
from anyanomaly_transformers.prefix.generation import generate
from anyanomaly_transformers.prefix.model import ImageSlot
from anyanomaly_transformers.prefix.prompts import embed_prompt, pad_batch
from PIL import Image

from anyanomaly.types import Query, QueryId, Sampling
from plugins.llavapp.tests.conftest import load_backend, oracle_of
from tests.support.oracles import ITEMS, Oracle

pytestmark = pytest.mark.engine

CASES = [
    ("llava-pp", "", LLAVA_PP["paper"]),
    ("llava", "", LLAVA["paper"]),
    ("llava", "vicuna_v1/", LLAVA["recommended"]),
]


@pytest.fixture
def model(name: str) -> Iterator[Any]:
    """Yield a loaded model, whose profile a test may change."""
    model = load_backend(name)._model
    profile = model.profile
    yield model
    model.profile = profile


def to_grey_levels(processor: Any, pixels: torch.Tensor) -> Any:
    """Return normalised pixels (3, side, side) as levels from 0 to 255."""
    mean = torch.tensor(processor.image_mean)[:, None, None]
    std = torch.tensor(processor.image_std)[:, None, None]
    return ((pixels * std + mean) * 255).round().numpy()


def flatten_ids(pieces: Sequence[Sequence[int] | ImageSlot], image: Sequence[int]) -> list[int]:
    return [token for piece in pieces for token in (image if isinstance(piece, ImageSlot) else piece)]


def run_query(model: Any, query: Query, image: torch.Tensor) -> tuple[Any, list[int]]:
    """Return the logits (tokens, vocabulary) of the prompt, and ten greedy tokens."""
    pieces = model.pieces(query)
    embeds = embed_prompt(model, pieces, {piece: image for piece in pieces if isinstance(piece, ImageSlot)})
    logits = model.language(inputs_embeds=embeds[None]).logits[0].numpy()
    return logits, generate(model, pad_batch([embeds]), [query])[0]


@pytest.mark.parametrize("item", range(6), ids=ITEMS)
@pytest.mark.parametrize(("name", "under", "profile"), CASES, ids=["llava-pp", "llava_v1", "vicuna_v1"])
@torch.inference_mode()
def test_llava_equals_the_original(name: str, under: str, profile: Any, item: int, model: LlavaModel) -> None:
    oracle = oracle_of(name)
    question = oracle.items[item]
    key = f"{question['name']}/{under}"
    model.profile = replace(profile, decoding=None)
    query = oracle.query(question)
    np.testing.assert_array_equal(flatten_ids(model.pieces(query), [-200]), oracle.arrays[f"{key}input_ids"])
    ((image,),) = model.encode_images([[Image.fromarray(query.images[0])]])
    if f"{question['name']}/visual" in oracle.arrays:
        np.testing.assert_allclose(image[::8], oracle.arrays[f"{question['name']}/visual"], atol=1e-5)
    logits, tokens = run_query(model, query, image)
    rows = oracle.arrays[f"{key}logits_rows_at"]
    np.testing.assert_allclose(logits[rows], oracle.arrays[f"{key}logits_rows"], atol=1e-5)
    np.testing.assert_allclose(logits[-1], oracle.arrays[f"{key}logits_last"], atol=1e-5)
    if f"{key}generated" in oracle.arrays:
        assert tokens == oracle.arrays[f"{key}generated"].tolist()


@pytest.mark.parametrize("name", ["llava-pp", "llava"])
def test_pixels_equal_the_originals(name: str, model: LlavaModel) -> None:
    oracle = oracle_of(name)
    for item in oracle.items[:5]:
        key = item["name"]
        (pixels,) = model.preprocess([oracle.picture(item["image"])])
        down, across = oracle.values[f"{key}/pixels_strided_step"]
        np.testing.assert_allclose(pixels[:, ::down, ::across], oracle.arrays[f"{key}/pixels_strided"], atol=1e-6)
        assert float(pixels.double().abs().sum()) == pytest.approx(oracle.values[f"{key}/pixels"]["abs_sum"], abs=1e-2)
        if f"{key}/pixels_u8" in oracle.arrays:
            np.testing.assert_array_equal(to_grey_levels(model._processor, pixels), oracle.arrays[f"{key}/pixels_u8"])


def test_the_sampled_frames_equal_the_originals() -> None:
    expected = oracle_of("video-chatgpt").values["frame_indices"]
    assert {key: sample_frames(int(key.rpartition("_")[2])) for key in expected} == expected
    assert sample_frames(0) == []


def frames_of(oracle: Oracle, video: str) -> list[Image.Image]:
    pictures = {name: oracle.picture(f"{name}.png") for name in ("frame_856x480", "frame_640x360")}
    cuts = oracle.values[f"{video}/frames"]
    return [pictures[name].crop((x, y, x + width, y + height)) for name, x, y, width, height in cuts]


@pytest.mark.parametrize("name", ["video-chatgpt"])
@pytest.mark.parametrize("n_frames", [1, 24, 130])
@torch.inference_mode()
def test_video_chatgpt_equals_the_original(n_frames: int, name: str, model: VideoChatGptModel) -> None:
    oracle, video = oracle_of(name), f"video_{n_frames}"
    frames = frames_of(oracle, video)
    images = tuple(np.array(frame) for frame in frames)
    query = Query(QueryId("v", 0, "t", "key"), images, oracle.values["question"], sampling=Sampling(max_tokens=10))
    pieces = model.pieces(query)
    patches = [oracle.values["added_ids"]["patch"]] * 356
    np.testing.assert_array_equal(flatten_ids(pieces, patches), oracle.arrays["input_ids"])
    (slot,) = (piece for piece in pieces if isinstance(piece, ImageSlot))
    sampled = [frames[index] for index in slot.images]
    key, frame = (video, 0) if n_frames == 1 else (f"{video}/frame_5", 5)
    pixels = model.preprocess(sampled)
    np.testing.assert_allclose(pixels[frame, :, ::14, ::14], oracle.arrays[f"{key}/pixels_strided"], atol=1e-6)
    if f"{key}/pixels_u8" in oracle.arrays:
        np.testing.assert_array_equal(
            to_grey_levels(model._processor, pixels[frame]), oracle.arrays[f"{key}/pixels_u8"]
        )
    half = oracle.arrays[f"{video}/pooled_float16"]
    pooled = half.astype(np.float32)
    # Last bits of features depend on the processor, and rounding to half precision makes a step of them.
    assert (np.abs(model.pool_features(sampled).float().numpy() - pooled) <= 1e-5 + np.abs(np.spacing(half))).all()
    stride = 1 if n_frames == 1 else 4
    from_original = model.projector(torch.from_numpy(pooled))
    np.testing.assert_allclose(from_original[::stride], oracle.arrays[f"{video}/visual"], atol=1e-5)
    ((image,),) = model.encode_images([sampled])
    assert run_query(model, query, image)[1] == oracle.arrays[f"{video}/generated"].tolist()
    # From the original's pooled features, all is equal. Its output layer has random rows for the special tokens.
    logits, _ = run_query(model, query, from_original)
    rows = oracle.arrays[f"{video}/logits_rows_at"]
    n_tokens = logits.shape[1]
    np.testing.assert_allclose(logits[rows], oracle.arrays[f"{video}/logits_rows"][:, :n_tokens], atol=1e-5)
