"""The backend: its contract, batches, videos, odd images, and the options that change tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from anyanomaly_chatunivi import anyanomaly_register_backends
from anyanomaly_chatunivi.backend import ChatUniViBackend
from anyanomaly_chatunivi.model import sample_frames
from anyanomaly_transformers.prefix.model import ImageSlot

import anyanomaly
from anyanomaly.core.expected import SCORES
from anyanomaly.errors import BackendError, MissingRequirement
from anyanomaly.specs import BackendSpec
from anyanomaly.testing.contracts import BackendContract
from anyanomaly.types import Query, QueryId, Sampling
from plugins.chatunivi.tests.conftest import OWN, load_backend, make_backend, oracle, video
from tests.support.shared import shared

pytestmark = pytest.mark.engine
Copied = Callable[[], Path]


class TestContract(BackendContract):
    @pytest.fixture
    def spec(self) -> BackendSpec:
        return anyanomaly_register_backends()[0]

    @pytest.fixture
    def component(self) -> ChatUniViBackend:
        return make_backend()


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def ask_about(*images: np.ndarray, choices: tuple[str, ...] = ("0", "1")) -> Query:
    return Query(QueryId("v", 0, "car", "key"), images, "Is there a car?", sampling=Sampling(choices=choices))


def test_a_batch_gives_the_answers_of_single_queries() -> None:
    """The tokens of the constant image depend on last bits, which no batch may change."""
    backend = load_backend(profile="recommended")
    queries = [
        oracle().query(item, **sampling) for sampling in ({}, {"choices": SCORES}) for item in oracle().items[:4]
    ]
    flat = np.full((90, 120, 3), 127, np.uint8)
    queries += [video(3), video(17), ask_about(flat, choices=SCORES), ask_about(flat, flat, flat, flat)]
    queries += [ask_about(choices=SCORES), replace(queries[0], text_first=True)]
    for query, answer in zip(queries, backend.answer_batch(queries), strict=True):
        (single,) = backend.answer_batch([query])
        assert (single.text, single.prompt_tokens) == (answer.text, answer.prompt_tokens)
        if query.sampling.choices:
            assert answer.logprobs == pytest.approx(single.logprobs, abs=1e-4)
            assert 0 < sum(np.exp(list((single.logprobs or {}).values()))) <= 1


def test_images_and_events_have_112_tokens() -> None:
    backend = load_backend(profile="recommended")
    frames = [np.random.default_rng(n).integers(0, 255, (60, 80, 3), np.uint8) for n in range(18)]
    queries = [ask_about(*frames[:n]) for n in (0, 1, 2, 3, 18)]
    lengths = [answer.prompt_tokens or 0 for answer in backend.answer_batch(queries)]
    assert np.diff(lengths).tolist()[1:] == [112, -112, 112]
    texts = [piece for piece in backend.model.pieces(ask_about(frames[0])) if not isinstance(piece, ImageSlot)]
    assert lengths[1] == 112 + sum(map(len, texts))


def test_of_a_long_video_max_frames_evenly_spaced_frames_are_used() -> None:
    assert sample_frames(0, 64) == ()
    assert sample_frames(64, 64) == tuple(range(64))
    assert sample_frames(130, 4) == (0, 43, 86, 129)
    frames = video(16).images
    few = load_backend(profile="recommended", max_frames=4)
    (answer,) = few.answer_batch([ask_about(*frames)])
    (same,) = load_backend(profile="recommended").answer_batch(
        [ask_about(*(frames[index] for index in (0, 5, 10, 15)))]
    )
    assert answer.logprobs == same.logprobs
    assert few.fingerprint != load_backend(profile="recommended").fingerprint


def test_noise_restarts_with_each_video_and_is_in_the_fingerprint() -> None:
    query = ask_about(*[oracle().query(oracle().items[0]).images[0]] * 4)  # a still video: each token occurs four times
    backends = [
        load_backend(profile="recommended", **options) for options in ({}, {"noise_seed": 1}, {"noise_seed": 2})
    ]
    answers = [backend.answer_batch([query])[0].logprobs for backend in backends]
    assert answers[1:] == [backend.answer_batch([video(3), query])[1].logprobs for backend in backends[1:]]
    assert all(a != b for a, b in combinations(answers, 2))
    assert len({backend.fingerprint for backend in backends}) == 3


@pytest.mark.parametrize("shape", [(1, 1, 3), (20, 10000, 3), (10000, 20, 3)], ids=["1x1", "10000x20", "20x10000"])
def test_images_of_extreme_shapes_get_answers(shape: tuple[int, ...]) -> None:
    (answer,) = load_backend(profile="recommended").answer_batch([ask_about(np.full(shape, 90, np.uint8))])
    assert all(np.isfinite(list((answer.logprobs or {}).values())))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_gives_equal_answers_twice(dtype: str) -> None:
    """Rounding may change clusters, so values are not compared with float32; two runs are equal."""
    with make_backend(dtype=dtype, profile="recommended") as half:
        model = half.model
        assert {model.language.dtype, model.projector.weight.dtype} == {getattr(torch, dtype)}  # type: ignore[attr-defined]
        query = oracle().query(oracle().items[2], choices=("0", "1"))
        first, second = half.answer_batch([query]) + half.answer_batch([query])
        assert first == second
        assert all(np.isfinite(list((first.logprobs or {}).values())))
        assert half.fingerprint != load_backend(profile="recommended").fingerprint


def test_quantised_and_device_mapped_weights_give_close_answers() -> None:
    query = oracle().query(oracle().items[2], choices=("0", "1"))
    (expected,) = load_backend(profile="recommended").answer_batch([query])
    for options, tolerance in (({"device_map": "auto"}, 0), ({"quantization": "8bit"}, 0.3)):
        with make_backend(profile="recommended", **options) as backend:
            (close,) = backend.answer_batch([query])
        assert close.logprobs == pytest.approx(expected.logprobs, abs=tolerance)


def test_an_option_that_needs_a_missing_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyanomaly_transformers.loading.find_spec", lambda name: None)
    with pytest.raises(MissingRequirement, match=r"--backend\.quantization 4bit needs the package bitsandbytes"):
        make_backend(quantization="4bit").load()
    with pytest.raises(MissingRequirement, match=r"--backend\.device-map needs the package accelerate"):
        make_backend(device_map="auto").load()


def grow(folder: Path, n_rows: int) -> None:
    """Add rows to the embedding table that no token has."""
    for part in folder.glob("pytorch_model-*.bin"):
        state = torch.load(part, weights_only=True)
        for name in {"model.embed_tokens.weight", "lm_head.weight"} & set(state):
            state[name] = torch.cat([state[name], state[name][:n_rows]])
        torch.save(state, part)
    vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"] + n_rows
    edit(folder / "config.json", vocab_size=vocabulary)


def test_rows_without_a_token_are_dropped_as_in_the_original(copy_checkpoint: Copied) -> None:
    folder = copy_checkpoint()
    grow(folder / OWN, 8)
    query = oracle().query(oracle().items[0], choices=("0", "1"))
    with make_backend(folder, profile="recommended") as backend:
        (answer,) = backend.answer_batch([query])
        assert backend.model.language.lm_head.out_features == 640
    assert answer.logprobs == load_backend(profile="recommended").answer_batch([query])[0].logprobs


def test_images_stand_between_special_tokens_if_the_checkpoint_says_so(copy_checkpoint: Copied) -> None:
    folder = copy_checkpoint()
    edit(folder / OWN / "config.json", mm_use_im_start_end=True, mm_use_im_patch_token=True)
    with pytest.raises(BackendError, match="has 643 tokens, but the model has embeddings for 640"):
        make_backend(folder).load()
    grow(folder / OWN, 3)
    with make_backend(folder) as backend:
        frame = np.zeros((9, 9, 3), np.uint8)
        before, slot, after = backend.model.pieces(ask_about(frame, frame))
        neighbours = backend.model.tokenizer.decode([before[-2], after[1]])
        assert neighbours == ":I"  # no space, no line break
        assert (before[-1], after[0]) == (641, 642)
        assert slot.images == (0, 1)
    edit(folder / OWN / "config.json", mm_use_im_start_end=False)
    with make_backend(folder) as backend:
        assert backend.model.language.lm_head.out_features == 641  # <im_patch> is in no prompt


@pytest.mark.parametrize("scoring", ["words", "expected"])
def test_a_real_video_gets_scores(scoring: str) -> None:
    """The tiny model's words are noise without a score; log-probabilities always give a score."""
    model = {"name": "chat-univi", "model": str(oracle().checkpoint / OWN), "device": "cpu"}
    short = {"segment_frames": 300, "every": 100, "max_tokens": 4, "max_unreadable": 1, "store": False}
    video = shared("data", "videos", "bottle-detection.mp4")
    run = {**short, "scoring": scoring}
    results = anyanomaly.run(video, "bottle", contexts=["key"], encoder="demo-clip", backend=model, run=run)
    (timeline,) = anyanomaly.join_timelines(results)
    assert len(timeline.raw) == 1189
    assert scoring == "words" or all((timeline.raw >= 0) & (timeline.raw <= 1))
