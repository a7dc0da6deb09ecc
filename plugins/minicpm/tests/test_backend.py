"""The backend: contract, batches, expected scores, extreme images, and broken or wrong files."""

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
from plugins.minicpm.tests.conftest import CHECKPOINTS, load_backend, make_backend, oracle_of
from tests.support.shared import shared

pytestmark = pytest.mark.engine
Copied = Callable[[str], Path]
both_versions = pytest.mark.parametrize("version", CHECKPOINTS)


class Contract(BackendContract):
    version = ""

    @pytest.fixture
    def spec(self) -> BackendSpec:
        return anyanomaly_register_backends()[0]

    @pytest.fixture
    def component(self) -> MiniCpmBackend:
        return make_backend(self.version)


class Test25(Contract):
    version = "2.5"


class Test26(Contract):
    version = "2.6"


def ask_about(*images: np.ndarray, prompt: str = "Is there a car?", **sampling: Any) -> Query:
    return Query(QueryId("v", 0, "car", "key"), images, prompt, sampling=Sampling(**sampling))


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@both_versions
def test_a_batch_gives_the_answers_of_single_queries(version: str) -> None:
    """Queries with sliced key frames, single views, several images, and no image."""
    oracle, backend = oracle_of(version), load_backend(version)
    queries = [oracle.query(item, **sampling) for sampling in ({}, {"choices": SCORES}) for item in oracle.items[::2]]
    queries += [ask_about(*queries[0].images, *queries[1].images, max_tokens=8), ask_about(choices=SCORES)]
    for query, answer in zip(queries, backend.answer_batch(queries), strict=True):
        (single,) = backend.answer_batch([query])
        assert (single.text, single.prompt_tokens) == (answer.text, answer.prompt_tokens)
        if query.sampling.choices:
            assert answer.logprobs == pytest.approx(single.logprobs, abs=1e-4)
            assert 0 < sum(np.exp(list((single.logprobs or {}).values()))) <= 1


@both_versions
def test_key_frames_are_sliced_and_each_slice_changes_the_answer(version: str) -> None:
    oracle, backend = oracle_of(version), load_backend(version)
    frame = np.array(oracle.picture("frame_856x480.png"))
    changed = frame.copy()
    changed[-40:, -40:] = 255  # in the last slice
    small = frame[:300, :300].copy()
    original, with_change, one_view, no_image = backend.answer_batch(
        [ask_about(*images, choices=("0", "1")) for images in ((frame,), (changed,), (small,), ())]
    )
    n_queries = backend._model.checkpoint.n_queries
    assert [(answer.prompt_tokens - no_image.prompt_tokens) // n_queries for answer in (original, one_view)] == [3, 1]
    assert with_change.logprobs != pytest.approx(original.logprobs, abs=1e-4)


def test_in_25_the_option_positions_changes_answers_about_key_frames() -> None:
    query = ask_about(np.array(oracle_of("2.5").picture("frame_856x480.png")), choices=("0", "1"))
    (published,), (by_grid,) = (
        load_backend("2.5", positions).answer_batch([query]) for positions in ("published", "grid")
    )
    assert published.logprobs != pytest.approx(by_grid.logprobs, abs=1e-3)


def test_26_drops_an_exclamation_mark_as_the_original() -> None:
    """Its attention mask takes token 0 for padding."""
    for version, n_tokens in (("2.5", 1), ("2.6", 0)):
        queries = [ask_about(prompt=prompt, choices=("0", "1")) for prompt in ("A car", "A car!")]
        plain, exclaimed = load_backend(version).answer_batch(queries)
        assert exclaimed.prompt_tokens - plain.prompt_tokens == n_tokens


@both_versions
@pytest.mark.parametrize("shape", [(1, 1, 3), (20, 10000, 3), (10000, 20, 3)], ids=["1x1", "10000x20", "20x10000"])
def test_images_of_odd_shapes_are_answered(version: str, shape: tuple[int, ...]) -> None:
    (answer,) = load_backend(version).answer_batch([ask_about(np.full(shape, 90, np.uint8), choices=("0", "1"))])
    assert all(np.isfinite(list((answer.logprobs or {}).values())))


@both_versions
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_near(version: str, dtype: str) -> None:
    query = oracle_of(version).query(oracle_of(version).items[0], choices=("0", "1"))
    with make_backend(version, dtype=dtype) as half:
        (expected,), (close,) = load_backend(version).answer_batch([query]), half.answer_batch([query])
        step = 8 * torch.finfo(getattr(torch, dtype)).eps  # between logits of 8 to 16
        assert close.logprobs == pytest.approx(expected.logprobs, abs=6 * step)
        assert half.fingerprint != load_backend(version).fingerprint


@both_versions
def test_an_option_that_needs_a_missing_package_names_it(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyanomaly_transformers.loading.find_spec", lambda name: None)
    with pytest.raises(MissingRequirement, match="needs the package bitsandbytes"):
        make_backend(version, quantization="4bit").load()


@both_versions
def test_quantised_and_device_mapped_weights_give_close_answers(version: str) -> None:
    query = oracle_of(version).query(oracle_of(version).items[0], choices=("0", "1"))
    (expected,) = load_backend(version).answer_batch([query])
    for options, tolerance in (({"device_map": "auto"}, 0), ({"quantization": "8bit"}, 0.3)):
        with make_backend(version, **options) as backend:
            (close,) = backend.answer_batch([query])
        assert close.logprobs == pytest.approx(expected.logprobs, abs=tolerance)


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch ran",)


def break_checkpoint(kind: str, folder: Path) -> None:
    """Change one thing in the checkpoint in ``folder``."""
    config, images = folder / "config.json", folder / "preprocessor_config.json"
    parts = sorted(folder.glob("model-*.safetensors"))
    if kind == "another model":
        edit(config, model_type="qwen2_vl")
    elif kind == "another version":
        edit(config, version=4.5)
    elif kind == "quantised":
        edit(config, quantization_config={"load_in_4bit": True})
    elif kind == "another tokenizer":
        for path in folder.glob("tokenizer*.json"):
            path.write_text(path.read_text().replace("<slice>", "<other>"))
    elif kind == "missing shard":
        parts[-1].unlink()
    elif kind == "truncated":
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


MESSAGES = {
    "another model": "a model of type 'qwen2_vl', and not MiniCPM-V",
    "another version": "MiniCPM-V of version 4.5",
    "quantised": "are quantised",
    "another tokenizer": "lacks <slice>",
    "missing shard": "lacks model-00002-of-00002",
    "truncated": "truncated or damaged",
    "code": "holds Python code",
    "other language sizes": r"language model .*do not fit its configuration",
    "other image sizes": r"image half .*do not fit its configuration",
    "other queries": "48 embeddings by config.json",
    "other queries in both": r"image half .*do not fit its configuration: 'resampler.query'",
    "no image settings": "holds no preprocessor_config.json",
}


@pytest.mark.parametrize("kind", MESSAGES)
@both_versions
def test_a_wrong_checkpoint_gives_a_one_line_error(
    version: str, kind: str, copy_checkpoint: Copied, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = copy_checkpoint(version)
    break_checkpoint(kind, folder)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AnyAnomalyError, match=MESSAGES[kind]) as caught:
        make_backend(version, folder).load()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("version", "scoring"), [("2.5", "words"), ("2.6", "expected")])
def test_a_real_video_gets_scores(version: str, scoring: str) -> None:
    """The tiny model's words are noise without a score; log-probabilities always give a score."""
    model = {"name": "minicpm-v", "model": str(oracle_of(version).checkpoint), "device": "cpu"}
    short = {"segment_frames": 300, "every": 100, "max_tokens": 4, "max_unreadable": 1, "store": False}
    video = shared("data", "videos", "bottle-detection.mp4")
    run = {**short, "scoring": scoring}
    results = anyanomaly.run(video, "bottle", contexts=["key"], encoder="demo-clip", backend=model, run=run)
    (timeline,) = anyanomaly.join_timelines(results)
    assert len(timeline.raw) == 1189
    assert scoring == "words" or all((timeline.raw >= 0) & (timeline.raw <= 1))
