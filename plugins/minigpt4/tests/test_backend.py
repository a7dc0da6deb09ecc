"""The backend: contract, batches, expected scores, extreme images, and broken or wrong files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from anyanomaly_minigpt4 import anyanomaly_register_backends
from anyanomaly_minigpt4.backend import MiniGpt4Backend
from anyanomaly_minigpt4.options import MiniGpt4Options

import anyanomaly
from anyanomaly.core.expected import SCORES
from anyanomaly.errors import BackendError, MissingRequirement, UsageError
from anyanomaly.specs import BackendSpec
from anyanomaly.testing.contracts import BackendContract
from anyanomaly.types import Query, QueryId, Sampling
from tests.support.oracles import Oracle
from tests.support.shared import shared

pytestmark = pytest.mark.engine
Load = Callable[..., MiniGpt4Backend]
LLM, EVA, OWN = "Llama-2-7b-chat-hf", "eva_vit_g.pth", "pretrained_minigpt4_llama2_7b.pth"


class TestContract(BackendContract):
    @pytest.fixture
    def spec(self) -> BackendSpec:
        return anyanomaly_register_backends()[0]

    @pytest.fixture
    def component(self, oracle: Oracle) -> MiniGpt4Backend:
        return MiniGpt4Backend(MiniGpt4Options(model=str(oracle.checkpoint), device="cpu"))

    @pytest.fixture
    def another(self, oracle: Oracle) -> MiniGpt4Backend:
        return MiniGpt4Backend(MiniGpt4Options(model=str(oracle.checkpoint), device="cpu"))


def test_a_batch_gives_the_answers_of_single_queries(oracle: Oracle, backend: MiniGpt4Backend) -> None:
    open_queries = [oracle.query(item) for item in oracle.items]
    choice_queries = [oracle.query(item, choices=SCORES) for item in oracle.items]
    queries = [*open_queries, *choice_queries]
    answers = backend.answer_batch(queries)
    for query, answer in zip(queries, answers, strict=True):
        (single,) = backend.answer_batch([query])
        assert single.text == answer.text
        assert (single.logprobs is None) == (answer.logprobs is None)
        if single.logprobs is not None:
            assert answer.logprobs == pytest.approx(single.logprobs, abs=1e-4)
            assert sum(np.exp(list(single.logprobs.values()))) <= 1
    assert len({answer.text for answer in answers if answer.logprobs is None}) == len(open_queries)


def test_several_images_and_no_image_get_answers(oracle: Oracle, backend: MiniGpt4Backend) -> None:
    one = oracle.query(oracle.items[0])
    two = Query(one.id, (*one.images, one.images[0][::2, ::2].copy()), one.prompt, sampling=one.sampling)
    none = Query(one.id, (), one.prompt, sampling=one.sampling)
    lengths = [answer.prompt_tokens for answer in backend.answer_batch([none, one, two])]
    assert lengths[0] is not None
    assert [length - lengths[0] > 60 * n for n, length in enumerate(lengths) if length is not None][1:] == [True, True]


@pytest.mark.parametrize("shape", [(1, 1, 3), (20, 10000, 3), (10000, 20, 3)])
def test_images_of_extreme_shapes_get_answers(backend: MiniGpt4Backend, shape: tuple[int, ...]) -> None:
    image = np.full(shape, 90, dtype=np.uint8)
    query = Query(QueryId("video", 0, "car", "key"), (image,), "Is there a car?", sampling=Sampling(choices=SCORES))
    (answer,) = backend.answer_batch([query])
    assert answer.logprobs is not None
    assert all(np.isfinite(list(answer.logprobs.values())))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_close(oracle: Oracle, load: Load, backend: MiniGpt4Backend, dtype: str) -> None:
    query = oracle.query(oracle.items[0], choices=("0", "1"))
    (expected,), (half,) = backend.answer_batch([query]), load(dtype=dtype).answer_batch([query])
    assert half.logprobs == pytest.approx(expected.logprobs, abs=0.02 if dtype == "float16" else 0.2)


def test_profile_and_precision_are_in_the_fingerprint(load: Load, backend: MiniGpt4Backend) -> None:
    assert len({backend.fingerprint, load(profile="recommended").fingerprint, load(dtype="float16").fingerprint}) == 3


@pytest.fixture
def copy(oracle: Oracle, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(oracle.checkpoint, tmp_path / "copy"))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    return folder


def test_the_parts_may_be_in_different_folders(
    copy: Path, load: Load, oracle: Oracle, backend: MiniGpt4Backend
) -> None:
    elsewhere = copy.parent / "elsewhere"
    elsewhere.mkdir()
    for name in (EVA, OWN, "fixture.json"):
        (copy / name).rename(elsewhere / name)
    with pytest.raises(MissingRequirement, match=rf"no {EVA} in or beside .* --backend\.vision"):
        load(copy)
    with pytest.raises(MissingRequirement, match=r"--backend\.projection"):
        load(copy, vision=str(elsewhere / EVA))
    with pytest.raises(MissingRequirement, match="There is no file 'gone'"):
        load(copy, vision="gone")
    loaded = load(copy / LLM, vision=str(elsewhere / EVA), projection=str(elsewhere / OWN))
    query = oracle.query(oracle.items[0])
    assert loaded.answer_batch([query])[0].text == backend.answer_batch([query])[0].text


def test_the_files_may_be_beside_the_language_model(copy: Path, load: Load) -> None:
    assert load(copy / LLM).fingerprint


def test_a_folder_without_a_language_model_is_an_error(tmp_path: Path, load: Load) -> None:
    with pytest.raises(UsageError, match=r"must hold one language model.* but holds 0"):
        load(tmp_path)


def test_a_folder_of_another_model_is_an_error(copy: Path, load: Load) -> None:
    config = copy / LLM / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "qwen2"}))
    with pytest.raises(UsageError, match="a model of type 'qwen2', and not the LLaMA-2 chat model"):
        load(copy)


def test_swapped_files_are_an_error(copy: Path, load: Load) -> None:
    torch.save(torch.load(copy / OWN)["model"], copy / "flat.pth")
    with pytest.raises(BackendError, match="it is not an EVA image tower"):
        load(copy, vision=str(copy / "flat.pth"))
    with pytest.raises(UsageError, match="has no entry 'model'"):
        load(copy, projection=str(copy / EVA))


def test_a_missing_shard_is_an_error(copy: Path, load: Load) -> None:
    (copy / LLM / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(MissingRequirement, match="lacks model-00002-of-00002"):
        load(copy)


@pytest.mark.parametrize("name", [EVA, OWN, f"{LLM}/model-00001-of-00002.safetensors"])
def test_an_incomplete_file_is_an_error(copy: Path, load: Load, name: str) -> None:
    path = copy / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BackendError, match=f"{path.name}.* is truncated or damaged"):
        load(copy)


class Code:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (os.environ["MINIGPT4_TEST_TRACE"],)


@pytest.mark.parametrize("name", [EVA, OWN])
def test_code_in_a_file_is_an_error_and_not_run(
    copy: Path, load: Load, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "trace"
    monkeypatch.setenv("MINIGPT4_TEST_TRACE", str(trace))
    torch.save({"model": torch.load(copy / name), "config": Code()}, copy / name)
    with pytest.raises(BackendError, match="holds Python code"):
        load(copy)
    assert not trace.exists()


def test_sizes_that_disagree_are_an_error(copy: Path, load: Load) -> None:
    config = copy / LLM / "config.json"
    original = config.read_text()
    config.write_text(json.dumps(json.loads(original) | {"intermediate_size": 200}))
    with pytest.raises(BackendError, match=r"mlp.* is \(160, 96\) in the file and \(200, 96\) by the configuration"):
        load(copy)
    config.write_text(original)
    torch.save({"model": {"llama_proj.weight": torch.ones(96, 64), "llama_proj.bias": torch.ones(96)}}, copy / OWN)
    with pytest.raises(BackendError, match=r"projection.*'weight' is \(96, 64\) in the file and \(96, 256\)"):
        load(copy)
    (copy / "fixture.json").write_text(json.dumps({"vit": {"depth": 9, "num_heads": 4}}))
    with pytest.raises(BackendError, match=r"image tower .* lack 'encoder\.layers\.4"):
        load(copy)


def test_position_embeddings_of_another_size_are_interpolated(copy: Path, load: Load) -> None:
    eva = torch.load(copy / EVA)
    flat = torch.linspace(0, 1, 8)[None, :, None].expand(8, 8, 64).reshape(1, 64, 64)
    eva["pos_embed"] = torch.cat([eva["pos_embed"][:, :1], flat], dim=1)
    torch.save(eva, copy / EVA)
    model = load(copy).model
    table = model.tower.vision.embeddings.position_embedding  # type: ignore[attr-defined]
    assert table.shape == (1, 257, 64)
    rows = table[0, 1:, 0].reshape(16, 16)
    assert torch.allclose(rows, rows[:1].expand(16, 16), atol=1e-6)
    assert bool((rows[0].diff() > 0).sum() >= 12)


def test_an_option_that_needs_a_missing_package_names_it(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyanomaly_transformers.loading.find_spec", lambda name: None)
    with pytest.raises(MissingRequirement, match=r"--backend\.quantization 4bit needs the package bitsandbytes"):
        load(quantization="4bit")
    with pytest.raises(MissingRequirement, match=r"--backend\.device-map needs the package accelerate"):
        load(device_map="auto")


@pytest.mark.parametrize("scoring", ["words", "expected"])
def test_a_real_video_gets_scores(oracle: Oracle, scoring: str) -> None:
    """The tiny model's words are noise without a score; log-probabilities always give a score."""
    model = {"name": "minigpt4", "model": str(oracle.checkpoint), "device": "cpu"}
    short = {"segment_frames": 300, "every": 100, "max_tokens": 4, "max_unreadable": 1, "store": False}
    video = shared("data", "videos", "bottle-detection.mp4")
    run = {**short, "scoring": scoring}
    results = anyanomaly.run(video, "bottle", contexts=["key"], encoder="demo-clip", backend=model, run=run)
    (timeline,) = anyanomaly.join_timelines(results)
    assert len(timeline.raw) == 1189
    assert scoring == "words" or all((timeline.raw >= 0) & (timeline.raw <= 1))
