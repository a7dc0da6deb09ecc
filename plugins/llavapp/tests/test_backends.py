"""The backends: their contract, batches, odd images, the tower's place, and files that are not what they should be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from anyanomaly_llavapp import anyanomaly_register_backends
from safetensors.torch import load_file, save_file

from anyanomaly.core.expected import SCORES
from anyanomaly.errors import AnyAnomalyError, BackendError, MissingRequirement, UsageError
from anyanomaly.specs import BackendSpec
from anyanomaly.testing.contracts import BackendContract
from anyanomaly.types import Query, QueryId, Sampling
from plugins.llavapp.tests.conftest import BASE, NAMES, OWN, PP, Copied, edit, loaded, made, oracle_of

pytestmark = pytest.mark.engine
MODEL = {"llava-pp": PP, "llava": OWN, "video-chatgpt": BASE}
CLIP = {"llava-pp": "openai/clip-vit-large-patch14-336", "video-chatgpt": "openai/clip-vit-large-patch14"}


class Contract(BackendContract):
    name = ""

    @pytest.fixture
    def spec(self) -> BackendSpec:
        return next(spec for spec in anyanomaly_register_backends() if spec.name == self.name)

    @pytest.fixture
    def component(self) -> Any:
        return made(self.name)


class TestLlavaPp(Contract):
    name = "llava-pp"


class TestLlava(Contract):
    name = "llava"


class TestVideoChatGpt(Contract):
    name = "video-chatgpt"


def about(image: np.ndarray, **sampling: Any) -> Query:
    return Query(QueryId("v", 0, "car", "key"), (image,), "Is there a car?", sampling=Sampling(**sampling))


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_answers_as_its_questions_do_alone(name: str) -> None:
    oracle, backend = oracle_of(name), loaded(name)
    queries = [oracle.query(item, **how) for how in ({}, {"choices": SCORES}) for item in oracle.items[:4]]
    several = Query(queries[0].id, queries[0].images + queries[1].images, "A car?", sampling=Sampling(max_tokens=8))
    queries += [several, Query(queries[0].id, (), "A car?", sampling=Sampling(choices=SCORES))]
    for query, answer in zip(queries, backend.answer_batch(queries), strict=True):
        (alone,) = backend.answer_batch([query])
        assert (alone.text, alone.prompt_tokens) == (answer.text, answer.prompt_tokens)
        if query.sampling.choices:
            assert answer.logprobs == pytest.approx(alone.logprobs, abs=1e-4)
            assert 0 < sum(np.exp(list((alone.logprobs or {}).values()))) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_published_decoding_draws_with_a_seed(name: str) -> None:
    query = oracle_of(name).query(oracle_of(name).items[0])
    backend = loaded(name, "paper")
    assert backend._model.profile.decoding.temperature == 0.2
    assert backend.answer_batch([query]) == backend.answer_batch([query])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1, 3), (20, 10000, 3)], ids=["1x1", "10000x20"])
def test_images_of_odd_shapes_are_answered(name: str, shape: tuple[int, ...]) -> None:
    (answer,) = loaded(name).answer_batch([about(np.full(shape, 90, np.uint8), choices=("0", "1"))])
    assert all(np.isfinite(list(answer.logprobs.values())))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_near(name: str, dtype: str) -> None:
    query = oracle_of(name).query(oracle_of(name).items[2], choices=("0", "1"))
    half = made(name, dtype=dtype, profile="recommended")
    with half:
        (whole,), (near,) = loaded(name).answer_batch([query]), half.answer_batch([query])
        assert near.logprobs == pytest.approx(whole.logprobs, abs=0.02 if dtype == "float16" else 0.3)
        assert half.fingerprint != loaded(name).fingerprint


@pytest.mark.parametrize("name", NAMES)
def test_what_needs_a_package_names_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyanomaly_transformers.loading.find_spec", lambda name: None)
    with pytest.raises(MissingRequirement, match="needs the package bitsandbytes"):
        made(name, quantization="4bit").load()


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch ran",)


def spoil(kind: str, name: str, folder: Path) -> None:
    """Make the checkpoint in ``folder`` wrong in one way."""
    model = folder / MODEL[name]
    parts = sorted([*model.glob("model-*.safetensors"), *model.glob("pytorch_model-*.bin")])
    if kind == "another model":
        edit(model / "config.json", model_type="qwen2_vl")
    elif kind == "missing shard":
        parts[-1].unlink()
    elif kind == "cut short":
        parts[0].write_bytes(parts[0].read_bytes()[:100_000])
    elif kind == "other sizes":
        edit(model / "config.json", intermediate_size=192)
    elif kind == "code" and parts[0].suffix == ".bin":
        torch.save({"model.norm.weight": Evil()}, parts[0])
    elif kind == "code":  # safetensors hold none, so the pickled layout
        for part in (*parts, model / "model.safetensors.index.json"):
            part.unlink()
        torch.save({"model.norm.weight": Evil()}, model / "pytorch_model.bin")
    elif kind == "no tower":
        (next(folder.glob("openai/*")) / "config.json").unlink()
    elif kind == "unknown tensor":
        tower = next(folder.glob("openai/*")) / "model.safetensors"
        save_file(load_file(tower) | {"vision_model.extra": torch.zeros(1)}, tower)


SAID = {
    "another model": "qwen2_vl",
    "missing shard": "lacks",
    "cut short": "cut short or damaged",
    "other sizes": "do not fit its configuration",
    "code": "holds Python code",
    "no tower": r"no config\.json",
    "unknown tensor": "extra",
}


@pytest.mark.parametrize("kind", SAID)
@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_checkpoint_is_one_sentence(
    name: str, kind: str, copied: Copied, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = copied(name)
    spoil(kind, name, folder)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AnyAnomalyError, match=SAID[kind]) as caught:
        made(name, folder).load()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_relatives_of_llava_are_told_apart(copied: Copied) -> None:
    folder = copied("llava")
    for change, said in (
        ({"image_aspect_ratio": "anyres"}, "several scales"),
        ({"image_aspect_ratio": "pad", "mm_projector_type": "ldpnet"}, "projector 'ldpnet'"),
    ):
        edit(folder / OWN / "config.json", **change)
        with pytest.raises(UsageError, match=said):
            made("llava", folder).load()


def test_a_trained_tower_is_the_checkpoints_own_and_a_frozen_one_is_the_named(copied: Copied) -> None:
    folder = copied("llava")
    tower = folder / "openai/clip-vit-large-patch14-336" / "model.safetensors"
    save_file({name: value * 0.5 for name, value in load_file(tower).items()}, tower)
    query = about(np.full((60, 80, 3), 90, np.uint8), choices=("0", "1"))
    (unchanged,) = loaded("llava").answer_batch([query])
    given = []
    for trained in (False, True):
        edit(folder / OWN / "config.json", unfreeze_mm_vision_tower=trained)
        with made("llava", folder, profile="recommended") as backend:
            given.append(backend.answer_batch([query])[0].logprobs)
    assert given[0] != pytest.approx(unchanged.logprobs, abs=1e-3)
    assert given[1] == pytest.approx(unchanged.logprobs, abs=1e-6)


def test_a_tower_can_be_given_and_its_absence_is_told(copied: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copied("llava-pp")
    (folder / "openai").rename(folder / "elsewhere")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MissingRequirement, match=r"clip-vit-large-patch14-336.*hub"):
        made("llava-pp", folder).load()
    made("llava-pp", folder, tower=str(folder / "elsewhere/clip-vit-large-patch14-336")).load()


def test_images_stand_between_marks_where_the_checkpoint_says_so(copied: Copied) -> None:
    folder = copied("llava")
    model = folder / OWN
    for part in model.glob("pytorch_model-*.bin"):
        state = torch.load(part, weights_only=True)
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            if name in state:
                state[name] = torch.cat([state[name], state[name][:2]])
        torch.save(state, part)
    edit(model / "config.json", mm_use_im_start_end=True, vocab_size=642)
    with made("llava", folder) as backend:
        before, _, after = backend._model.pieces(about(np.zeros((9, 9, 3), np.uint8)))
        assert (before[-1], after[0]) == (640, 641)


def test_an_adapter_of_another_model_is_told(copied: Copied) -> None:
    folder = copied("video-chatgpt")
    path = folder / "Video-ChatGPT-7B" / "video_chatgpt-7B.bin"
    state = torch.load(path, weights_only=True)
    torch.save(state | {"model.embed_tokens.weight": state["model.embed_tokens.weight"][:640]}, path)
    with pytest.raises(BackendError, match="embeds 640 tokens, and the tokenizer of the base model has 643"):
        made("video-chatgpt", folder).load()
    torch.save({"model.mm_projector.weight": state["model.mm_projector.weight"]}, path)
    with pytest.raises(BackendError, match="no adapter of Video-ChatGPT"):
        made("video-chatgpt", folder).load()


def test_an_adapter_is_found_beside_its_base() -> None:
    made("video-chatgpt", adapter="MBZUAI/Video-ChatGPT-7B").load()
