"""The backends: contract, batches, extreme images, location of the tower, and broken or wrong files."""

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
from plugins.llavapp.tests.conftest import (
    BASE,
    NAMES,
    OWN,
    PP,
    CopyCheckpoint,
    edit,
    load_backend,
    make_backend,
    oracle_of,
)

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
        return make_backend(self.name)


class TestLlavaPp(Contract):
    name = "llava-pp"


class TestLlava(Contract):
    name = "llava"


class TestVideoChatGpt(Contract):
    name = "video-chatgpt"


def ask_about(image: np.ndarray, **sampling: Any) -> Query:
    return Query(QueryId("v", 0, "car", "key"), (image,), "Is there a car?", sampling=Sampling(**sampling))


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_gives_the_answers_of_single_queries(name: str) -> None:
    oracle, backend = oracle_of(name), load_backend(name)
    queries = [oracle.query(item, **sampling) for sampling in ({}, {"choices": SCORES}) for item in oracle.items[:4]]
    several = Query(queries[0].id, queries[0].images + queries[1].images, "A car?", sampling=Sampling(max_tokens=8))
    queries += [several, Query(queries[0].id, (), "A car?", sampling=Sampling(choices=SCORES))]
    for query, answer in zip(queries, backend.answer_batch(queries), strict=True):
        (single,) = backend.answer_batch([query])
        assert (single.text, single.prompt_tokens) == (answer.text, answer.prompt_tokens)
        if query.sampling.choices:
            assert answer.logprobs == pytest.approx(single.logprobs, abs=1e-4)
            assert 0 < sum(np.exp(list((single.logprobs or {}).values()))) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_published_decoding_samples_with_a_seed(name: str) -> None:
    query = oracle_of(name).query(oracle_of(name).items[0])
    backend = load_backend(name, "paper")
    assert backend._model.profile.decoding.temperature == 0.2
    assert backend.answer_batch([query]) == backend.answer_batch([query])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1, 3), (20, 10000, 3)], ids=["1x1", "10000x20"])
def test_images_of_extreme_shapes_get_answers(name: str, shape: tuple[int, ...]) -> None:
    (answer,) = load_backend(name).answer_batch([ask_about(np.full(shape, 90, np.uint8), choices=("0", "1"))])
    assert all(np.isfinite(list(answer.logprobs.values())))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_close(name: str, dtype: str) -> None:
    query = oracle_of(name).query(oracle_of(name).items[2], choices=("0", "1"))
    half = make_backend(name, dtype=dtype, profile="recommended")
    with half:
        (expected,), (close,) = load_backend(name).answer_batch([query]), half.answer_batch([query])
        assert close.logprobs == pytest.approx(expected.logprobs, abs=0.02 if dtype == "float16" else 0.3)
        assert half.fingerprint != load_backend(name).fingerprint


@pytest.mark.parametrize("name", NAMES)
def test_an_option_that_needs_a_missing_package_names_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyanomaly_transformers.loading.find_spec", lambda name: None)
    with pytest.raises(MissingRequirement, match="needs the package bitsandbytes"):
        make_backend(name, quantization="4bit").load()


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch ran",)


def break_checkpoint(kind: str, name: str, folder: Path) -> None:
    """Change one thing in the checkpoint in ``folder``."""
    model = folder / MODEL[name]
    parts = sorted([*model.glob("model-*.safetensors"), *model.glob("pytorch_model-*.bin")])
    if kind == "another model":
        edit(model / "config.json", model_type="qwen2_vl")
    elif kind == "missing shard":
        parts[-1].unlink()
    elif kind == "truncated":
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


MESSAGES = {
    "another model": "qwen2_vl",
    "missing shard": "lacks",
    "truncated": "truncated or damaged",
    "other sizes": "do not fit its configuration",
    "code": "holds Python code",
    "no tower": r"no config\.json",
    "unknown tensor": "extra",
}


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_checkpoint_gives_a_one_line_error(
    name: str, kind: str, copy_checkpoint: CopyCheckpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = copy_checkpoint(name)
    break_checkpoint(kind, name, folder)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AnyAnomalyError, match=MESSAGES[kind]) as caught:
        make_backend(name, folder).load()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_variants_of_llava_are_an_error(copy_checkpoint: CopyCheckpoint) -> None:
    folder = copy_checkpoint("llava")
    for change, message in (
        ({"image_aspect_ratio": "anyres"}, "several scales"),
        ({"image_aspect_ratio": "pad", "mm_projector_type": "ldpnet"}, "projector 'ldpnet'"),
    ):
        edit(folder / OWN / "config.json", **change)
        with pytest.raises(UsageError, match=message):
            make_backend("llava", folder).load()


def test_a_trained_tower_is_read_from_the_checkpoint_and_a_frozen_one_from_its_clip(
    copy_checkpoint: CopyCheckpoint,
) -> None:
    folder = copy_checkpoint("llava")
    tower = folder / "openai/clip-vit-large-patch14-336" / "model.safetensors"
    save_file({name: value * 0.5 for name, value in load_file(tower).items()}, tower)
    query = ask_about(np.full((60, 80, 3), 90, np.uint8), choices=("0", "1"))
    (unchanged,) = load_backend("llava").answer_batch([query])
    logprobs = []
    for trained in (False, True):
        edit(folder / OWN / "config.json", unfreeze_mm_vision_tower=trained)
        with make_backend("llava", folder, profile="recommended") as backend:
            logprobs.append(backend.answer_batch([query])[0].logprobs)
    assert logprobs[0] != pytest.approx(unchanged.logprobs, abs=1e-3)
    assert logprobs[1] == pytest.approx(unchanged.logprobs, abs=1e-6)


def test_a_missing_tower_is_an_error_and_the_tower_option_fixes_it(
    copy_checkpoint: CopyCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_checkpoint("llava-pp")
    (folder / "openai").rename(folder / "elsewhere")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MissingRequirement, match=r"clip-vit-large-patch14-336.*hub"):
        make_backend("llava-pp", folder).load()
    make_backend("llava-pp", folder, tower=str(folder / "elsewhere/clip-vit-large-patch14-336")).load()


def test_images_stand_between_special_tokens_if_the_checkpoint_says_so(copy_checkpoint: CopyCheckpoint) -> None:
    folder = copy_checkpoint("llava")
    model = folder / OWN
    for part in model.glob("pytorch_model-*.bin"):
        state = torch.load(part, weights_only=True)
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            if name in state:
                state[name] = torch.cat([state[name], state[name][:2]])
        torch.save(state, part)
    edit(model / "config.json", mm_use_im_start_end=True, vocab_size=642)
    with make_backend("llava", folder) as backend:
        before, _, after = backend._model.pieces(ask_about(np.zeros((9, 9, 3), np.uint8)))
        assert (before[-1], after[0]) == (640, 641)


def test_an_adapter_of_another_model_is_an_error(copy_checkpoint: CopyCheckpoint) -> None:
    folder = copy_checkpoint("video-chatgpt")
    path = folder / "Video-ChatGPT-7B" / "video_chatgpt-7B.bin"
    state = torch.load(path, weights_only=True)
    torch.save(state | {"model.embed_tokens.weight": state["model.embed_tokens.weight"][:640]}, path)
    with pytest.raises(BackendError, match="embeddings for 640 tokens, but the tokenizer of the base model has 643"):
        make_backend("video-chatgpt", folder).load()
    torch.save({"model.mm_projector.weight": state["model.mm_projector.weight"]}, path)
    with pytest.raises(BackendError, match="no adapter of Video-ChatGPT"):
        make_backend("video-chatgpt", folder).load()


def test_an_adapter_is_found_beside_its_base() -> None:
    make_backend("video-chatgpt", adapter="MBZUAI/Video-ChatGPT-7B").load()
