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
from anyanomaly_chatunivi.model import chosen_frames
from anyanomaly_transformers.prefix.model import ImageSlot

import anyanomaly
from anyanomaly.core.expected import SCORES
from anyanomaly.errors import BackendError, MissingRequirement
from anyanomaly.specs import BackendSpec
from anyanomaly.testing.contracts import BackendContract
from anyanomaly.types import Query, QueryId, Sampling
from plugins.chatunivi.tests.conftest import OWN, loaded, made, oracle, video
from tests.support.shared import shared

pytestmark = pytest.mark.engine
Copied = Callable[[], Path]


class TestContract(BackendContract):
    @pytest.fixture
    def spec(self) -> BackendSpec:
        return anyanomaly_register_backends()[0]

    @pytest.fixture
    def component(self) -> ChatUniViBackend:
        return made()


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def about(*images: np.ndarray, choices: tuple[str, ...] = ("0", "1")) -> Query:
    return Query(QueryId("v", 0, "car", "key"), images, "Is there a car?", sampling=Sampling(choices=choices))


def test_a_batch_answers_as_its_questions_do_alone() -> None:
    """The constant image's tokens hang on last bits, so that no batch may change those."""
    backend = loaded(profile="recommended")
    queries = [oracle().query(item, **how) for how in ({}, {"choices": SCORES}) for item in oracle().items[:4]]
    flat = np.full((90, 120, 3), 127, np.uint8)
    queries += [video(3), video(17), about(flat, choices=SCORES), about(flat, flat, flat, flat)]
    queries += [about(choices=SCORES), replace(queries[0], text_first=True)]
    for query, answer in zip(queries, backend.answer_batch(queries), strict=True):
        (alone,) = backend.answer_batch([query])
        assert (alone.text, alone.prompt_tokens) == (answer.text, answer.prompt_tokens)
        if query.sampling.choices:
            assert answer.logprobs == pytest.approx(alone.logprobs, abs=1e-4)
            assert 0 < sum(np.exp(list((alone.logprobs or {}).values()))) <= 1


def test_images_and_events_have_112_tokens() -> None:
    backend = loaded(profile="recommended")
    frames = [np.random.default_rng(n).integers(0, 255, (60, 80, 3), np.uint8) for n in range(18)]
    lengths = [each.prompt_tokens or 0 for each in backend.answer_batch([about(*frames[:n]) for n in (0, 1, 2, 3, 18)])]
    assert np.diff(lengths).tolist()[1:] == [112, -112, 112]
    texts = [piece for piece in backend.model.pieces(about(frames[0])) if not isinstance(piece, ImageSlot)]
    assert lengths[1] == 112 + sum(map(len, texts))


def test_of_a_long_video_so_many_frames_are_looked_at_evenly() -> None:
    assert chosen_frames(0, 64) == ()
    assert chosen_frames(64, 64) == tuple(range(64))
    assert chosen_frames(130, 4) == (0, 43, 86, 129)
    frames = video(16).images
    few = loaded(profile="recommended", max_frames=4)
    (answer,) = few.answer_batch([about(*frames)])
    (same,) = loaded(profile="recommended").answer_batch([about(*(frames[at] for at in (0, 5, 10, 15)))])
    assert answer.logprobs == same.logprobs
    assert few.fingerprint != loaded(profile="recommended").fingerprint


def test_noise_is_drawn_anew_for_each_video_and_stands_in_the_fingerprint() -> None:
    query = about(*[oracle().query(oracle().items[0]).images[0]] * 4)  # a still video: each token occurs four times
    backends = [loaded(profile="recommended", **given) for given in ({}, {"noise_seed": 1}, {"noise_seed": 2})]
    answers = [backend.answer_batch([query])[0].logprobs for backend in backends]
    assert answers[1:] == [backend.answer_batch([video(3), query])[1].logprobs for backend in backends[1:]]
    assert all(a != b for a, b in combinations(answers, 2))
    assert len({backend.fingerprint for backend in backends}) == 3


@pytest.mark.parametrize("shape", [(1, 1, 3), (20, 10000, 3), (10000, 20, 3)], ids=["1x1", "10000x20", "20x10000"])
def test_images_of_odd_shapes_are_answered(shape: tuple[int, ...]) -> None:
    (answer,) = loaded(profile="recommended").answer_batch([about(np.full(shape, 90, np.uint8))])
    assert all(np.isfinite(list((answer.logprobs or {}).values())))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_answers(dtype: str) -> None:
    """Its tokens may be grouped otherwise, so values are not compared; twice they are the same."""
    with made(dtype=dtype, profile="recommended") as half:
        model = half.model
        assert {model.language.dtype, model.projector.weight.dtype} == {getattr(torch, dtype)}  # type: ignore[attr-defined]
        query = oracle().query(oracle().items[2], choices=("0", "1"))
        first, again = half.answer_batch([query]) + half.answer_batch([query])
        assert first == again
        assert all(np.isfinite(list((first.logprobs or {}).values())))
        assert half.fingerprint != loaded(profile="recommended").fingerprint


def test_weights_in_fewer_bits_and_mapped_to_devices_answer_alike() -> None:
    query = oracle().query(oracle().items[2], choices=("0", "1"))
    (whole,) = loaded(profile="recommended").answer_batch([query])
    for options, within in (({"device_map": "auto"}, 0), ({"quantization": "8bit"}, 0.3)):
        with made(profile="recommended", **options) as placed:
            (near,) = placed.answer_batch([query])
        assert near.logprobs == pytest.approx(whole.logprobs, abs=within)


def test_what_needs_a_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyanomaly_transformers.loading.find_spec", lambda name: None)
    with pytest.raises(MissingRequirement, match=r"--backend\.quantization 4bit needs the package bitsandbytes"):
        made(quantization="4bit").load()
    with pytest.raises(MissingRequirement, match=r"--backend\.device-map needs the package accelerate"):
        made(device_map="auto").load()


def grow(folder: Path, n_rows: int) -> None:
    """Give the model rows that no token stands for."""
    for part in folder.glob("pytorch_model-*.bin"):
        state = torch.load(part, weights_only=True)
        for name in {"model.embed_tokens.weight", "lm_head.weight"} & set(state):
            state[name] = torch.cat([state[name], state[name][:n_rows]])
        torch.save(state, part)
    vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"] + n_rows
    edit(folder / "config.json", vocab_size=vocabulary)


def test_rows_that_no_token_stands_for_are_dropped_as_in_the_original(copied: Copied) -> None:
    folder = copied()
    grow(folder / OWN, 8)
    query = oracle().query(oracle().items[0], choices=("0", "1"))
    with made(folder, profile="recommended") as backend:
        (answer,) = backend.answer_batch([query])
        assert backend.model.language.lm_head.out_features == 640
    assert answer.logprobs == loaded(profile="recommended").answer_batch([query])[0].logprobs


def test_images_stand_between_marks_where_the_checkpoint_says_so(copied: Copied) -> None:
    folder = copied()
    edit(folder / OWN / "config.json", mm_use_im_start_end=True, mm_use_im_patch_token=True)
    with pytest.raises(BackendError, match="has 643 tokens, and the model 640"):
        made(folder).load()
    grow(folder / OWN, 3)
    with made(folder) as backend:
        frame = np.zeros((9, 9, 3), np.uint8)
        before, slot, after = backend.model.pieces(about(frame, frame))
        around = backend.model.tokenizer.decode([before[-2], after[1]])
        assert around == ":I"  # no blank, no line's end
        assert (before[-1], after[0]) == (641, 642)
        assert slot.images == (0, 1)
    edit(folder / OWN / "config.json", mm_use_im_start_end=False)
    with made(folder) as backend:
        assert backend.model.language.lm_head.out_features == 641  # the mark of a patch stands in no prompt


@pytest.mark.parametrize("scoring", ["words", "expected"])
def test_a_real_video_is_run(scoring: str) -> None:
    """The tiny model's words are noise, which a score cannot be read from; the log-probabilities always give one."""
    model = {"name": "chat-univi", "model": str(oracle().checkpoint / OWN), "device": "cpu"}
    short = {"segment_frames": 300, "every": 100, "max_tokens": 4, "max_unreadable": 1, "store": False}
    video = shared("data", "videos", "bottle-detection.mp4")
    run = {**short, "scoring": scoring}
    found = anyanomaly.run(video, "bottle", contexts=["key"], encoder="demo-clip", backend=model, run=run)
    (line,) = [each for each in found if isinstance(each, anyanomaly.Timeline)]
    assert len(line.raw) == 1189
    assert scoring == "words" or all((line.raw >= 0) & (line.raw <= 1))
