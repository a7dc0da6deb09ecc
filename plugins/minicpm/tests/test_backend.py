"""The backend: its contract, batches, expected scores, odd images, and files that are not what they should be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from anyanomaly_minicpm import anyanomaly_register_backends
from anyanomaly_minicpm.backend import MiniCpmBackend

import anyanomaly
from anyanomaly.core.expected import SCORES
from anyanomaly.errors import AnyAnomalyError, MissingRequirement
from anyanomaly.specs import BackendSpec
from anyanomaly.testing.contracts import BackendContract
from anyanomaly.types import Query, QueryId, Sampling
from plugins.minicpm.tests.conftest import CHECKPOINTS, loaded, made, oracle_of
from tests.support.shared import shared

pytestmark = pytest.mark.engine
Copied = Callable[[str], Path]
both = pytest.mark.parametrize("version", CHECKPOINTS)


class Contract(BackendContract):
    version = ""

    @pytest.fixture
    def spec(self) -> BackendSpec:
        return anyanomaly_register_backends()[0]

    @pytest.fixture
    def component(self) -> MiniCpmBackend:
        return made(self.version)


class Test25(Contract):
    version = "2.5"


class Test26(Contract):
    version = "2.6"


def about(*images: np.ndarray, prompt: str = "Is there a car?", **sampling: Any) -> Query:
    return Query(QueryId("v", 0, "car", "key"), images, prompt, sampling=Sampling(**sampling))


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@both
def test_a_batch_answers_as_its_questions_do_alone(version: str) -> None:
    """Among them sliced key frames beside single views, several images, and none."""
    oracle, backend = oracle_of(version), loaded(version)
    queries = [oracle.query(item, **how) for how in ({}, {"choices": SCORES}) for item in oracle.items[::2]]
    queries += [about(*queries[0].images, *queries[1].images, max_tokens=8), about(choices=SCORES)]
    for query, answer in zip(queries, backend.answer_batch(queries), strict=True):
        (alone,) = backend.answer_batch([query])
        assert (alone.text, alone.prompt_tokens) == (answer.text, answer.prompt_tokens)
        if query.sampling.choices:
            assert answer.logprobs == pytest.approx(alone.logprobs, abs=1e-4)
            assert 0 < sum(np.exp(list((alone.logprobs or {}).values()))) <= 1


@both
def test_key_frames_are_sliced_and_each_slice_is_seen(version: str) -> None:
    oracle, backend = oracle_of(version), loaded(version)
    frame = np.array(oracle.picture("frame_856x480.png"))
    changed = frame.copy()
    changed[-40:, -40:] = 255  # in the last slice
    small = frame[:300, :300].copy()
    whole, other, one, none = backend.answer_batch(
        [about(*images, choices=("0", "1")) for images in ((frame,), (changed,), (small,), ())]
    )
    n_queries = backend._model.checkpoint.n_queries
    assert [(answer.prompt_tokens - none.prompt_tokens) // n_queries for answer in (whole, one)] == [3, 1]
    assert other.logprobs != pytest.approx(whole.logprobs, abs=1e-4)


def test_in_25_the_flag_changes_what_key_frames_say() -> None:
    query = about(np.array(oracle_of("2.5").picture("frame_856x480.png")), choices=("0", "1"))
    (published,), (by_grid,) = (loaded("2.5", how).answer_batch([query]) for how in ("published", "grid"))
    assert published.logprobs != pytest.approx(by_grid.logprobs, abs=1e-3)


def test_26_does_not_see_an_exclamation_mark_as_the_original() -> None:
    """Its mask takes token 0 for padding."""
    for version, seen in (("2.5", 1), ("2.6", 0)):
        asked = [about(prompt=prompt, choices=("0", "1")) for prompt in ("A car", "A car!")]
        without, marked = loaded(version).answer_batch(asked)
        assert marked.prompt_tokens - without.prompt_tokens == seen


@both
@pytest.mark.parametrize("shape", [(1, 1, 3), (20, 10000, 3), (10000, 20, 3)], ids=["1x1", "10000x20", "20x10000"])
def test_images_of_odd_shapes_are_answered(version: str, shape: tuple[int, ...]) -> None:
    (answer,) = loaded(version).answer_batch([about(np.full(shape, 90, np.uint8), choices=("0", "1"))])
    assert all(np.isfinite(list((answer.logprobs or {}).values())))


@both
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_near(version: str, dtype: str) -> None:
    query = oracle_of(version).query(oracle_of(version).items[0], choices=("0", "1"))
    with made(version, dtype=dtype) as half:
        (whole,), (near,) = loaded(version).answer_batch([query]), half.answer_batch([query])
        step = 8 * torch.finfo(getattr(torch, dtype)).eps  # between logits of 8 to 16
        assert near.logprobs == pytest.approx(whole.logprobs, abs=6 * step)
        assert half.fingerprint != loaded(version).fingerprint


@both
def test_what_needs_a_package_names_it(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyanomaly_transformers.loading.find_spec", lambda name: None)
    with pytest.raises(MissingRequirement, match="needs the package bitsandbytes"):
        made(version, quantization="4bit").load()


@both
def test_weights_in_fewer_bits_and_mapped_to_devices_answer_alike(version: str) -> None:
    query = oracle_of(version).query(oracle_of(version).items[0], choices=("0", "1"))
    (whole,) = loaded(version).answer_batch([query])
    for options, within in (({"device_map": "auto"}, 0), ({"quantization": "8bit"}, 0.3)):
        with made(version, **options) as placed:
            (near,) = placed.answer_batch([query])
        assert near.logprobs == pytest.approx(whole.logprobs, abs=within)


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch ran",)


def spoil(kind: str, folder: Path) -> None:
    """Make the checkpoint in ``folder`` wrong in one way."""
    config, images = folder / "config.json", folder / "preprocessor_config.json"
    parts = sorted(folder.glob("model-*.safetensors"))
    if kind == "another model":
        edit(config, model_type="qwen2_vl")
    elif kind == "another version":
        edit(config, version=4.5)
    elif kind == "quantized":
        edit(config, quantization_config={"load_in_4bit": True})
    elif kind == "another tokenizer":
        for path in folder.glob("tokenizer*.json"):
            path.write_text(path.read_text().replace("<slice>", "<other>"))
    elif kind == "missing shard":
        parts[-1].unlink()
    elif kind == "cut short":
        parts[0].write_bytes(parts[0].read_bytes()[:100_000])
    elif kind == "code":  # safetensors hold none, so the pickled layout
        for part in (*parts, folder / "model.safetensors.index.json"):
            part.unlink()
        torch.save({"resampler.query": Evil()}, folder / "pytorch_model.bin")
    elif kind == "other language sizes":
        edit(config, intermediate_size=200)
    elif kind == "other image sizes":
        tower = json.loads(config.read_text())["vision_config"]
        edit(config, vision_config=tower | {"intermediate_size": 200})
    elif kind == "other queries":
        edit(config, query_num=48)
    elif kind == "other queries in both":
        edit(config, query_num=48)
        edit(images, image_feature_size=48)
    elif kind == "no image settings":
        images.unlink()


SAID = {
    "another model": "a model of type 'qwen2_vl', and not MiniCPM-V",
    "another version": "MiniCPM-V of version 4.5",
    "quantized": "are quantized",
    "another tokenizer": "lacks <slice>",
    "missing shard": "lacks model-00002-of-00002",
    "cut short": "cut short or damaged",
    "code": "holds Python code",
    "other language sizes": r"language model .*do not fit its configuration",
    "other image sizes": r"image half .*do not fit its configuration",
    "other queries": "48 embeddings by config.json",
    "other queries in both": r"image half .*do not fit its configuration: 'resampler.query'",
    "no image settings": "holds no preprocessor_config.json",
}


@pytest.mark.parametrize("kind", SAID)
@both
def test_a_wrong_checkpoint_is_one_sentence(
    version: str, kind: str, copied: Copied, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = copied(version)
    spoil(kind, folder)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AnyAnomalyError, match=SAID[kind]) as caught:
        made(version, folder).load()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("version", "scoring"), [("2.5", "words"), ("2.6", "expected")])
def test_a_real_video_is_run(version: str, scoring: str) -> None:
    """The tiny model's words are noise, which a score cannot be read from; the log-probabilities always give one."""
    model = {"name": "minicpm-v", "model": str(oracle_of(version).checkpoint), "device": "cpu"}
    short = {"segment_frames": 300, "every": 100, "max_tokens": 4, "max_unreadable": 1, "store": False}
    video = shared("data", "videos", "bottle-detection.mp4")
    run = {**short, "scoring": scoring}
    found = anyanomaly.run(video, "bottle", contexts=["key"], encoder="demo-clip", backend=model, run=run)
    (line,) = [each for each in found if isinstance(each, anyanomaly.Timeline)]
    assert len(line.raw) == 1189
    assert scoring == "words" or all((line.raw >= 0) & (line.raw <= 1))
