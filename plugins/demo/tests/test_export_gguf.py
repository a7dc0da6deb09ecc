"""The exported files give the same scores in llama.cpp as the folder in transformers, in the demo's sizes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from anyanomaly.core.expected import SCORES, expected_score
from anyanomaly.types import Answer, Query, QueryId, Sampling
from plugins.demo.training.export_gguf import _full_attention_interval, export
from tests.support.tiny_models import make_model
from tests.support.tiny_tokenizers import EVENT_TEXTS, QUESTION, SYSTEM


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model("qwen2_5_vl_wide", tmp_path_factory.mktemp("wide"))


def picture(number: int, height: int, width: int) -> np.ndarray:
    """Return an image of coloured blocks with noise: uint8 (height, width, 3)."""
    random = np.random.default_rng(number)
    blocks = random.integers(20, 236, (height // 28 + 1, width // 28 + 1, 3))
    image = blocks.repeat(28, axis=0).repeat(28, axis=1)[:height, :width] + random.integers(-20, 20, (height, width, 3))
    return image.astype(np.uint8)


def questions() -> list[Query]:
    sizes = [(224, 224), (196, 252), (240, 320)]  # contexts, key frames at the model's limit and above it
    return [
        Query(
            QueryId("video", number, text, "key"),
            (picture(number, *sizes[number % 3]),),
            QUESTION.format(text=text),
            SYSTEM,
            sampling=Sampling(choices=SCORES),
        )
        for number, text in enumerate(EVENT_TEXTS[:6])
    ]


def expected(answers: list[Answer]) -> list[float]:
    return [expected_score(answer.logprobs or {})[0] for answer in answers]


@pytest.mark.engine
def test_prompts_are_equal_and_scores_agree(folder: Path, tmp_path: Path) -> None:
    from anyanomaly_llamacpp.backend import GgufBackend
    from anyanomaly_llamacpp.options import GgufOptions
    from anyanomaly_transformers.backend import TransformersBackend
    from anyanomaly_transformers.options import TransformersOptions

    with TransformersBackend(TransformersOptions(model=str(folder), device="cpu", dtype="float32")) as reference:
        reference_answers = sorted(reference.answer(questions()), key=lambda answer: answer.id)
    assert np.std(expected(reference_answers)) > 0.02  # the images and texts make a difference
    for dtype, bound in (("f32", 0.02), ("f16", 0.05)):
        files = export(folder, tmp_path / dtype, dtype)  # type: ignore[arg-type]
        with GgufBackend(GgufOptions(model=str(files.model))) as backend:
            answers = sorted(backend.answer(questions()), key=lambda answer: answer.id)
        n_tokens = [answer.prompt_tokens for answer in reference_answers]
        assert [answer.prompt_tokens for answer in answers] == n_tokens
        assert expected(answers) == pytest.approx(expected(reference_answers), abs=bound)
        if dtype == "f32":
            assert np.argsort(expected(answers)).tolist() == np.argsort(expected(reference_answers)).tolist()


@pytest.mark.engine
def test_llama_cpp_and_the_tokenizer_give_the_same_tokens(folder: Path, tmp_path: Path) -> None:
    """Also for text outside the training corpus: other scripts, runs of digits and of spaces."""
    from anyanomaly_llamacpp.backend import GgufBackend
    from anyanomaly_llamacpp.options import GgufOptions
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    files = export(folder, tmp_path, "f16")
    with GgufBackend(GgufOptions(model=str(files.model))) as backend:
        assert backend._running is not None
        encode = backend._running._native.encode
        for text in [*SCORES, QUESTION, "<|im_start|>user\nIt's 12.50 €,\n\n  fährt 走る 🚲!!<|im_end|>\n", "\t a  b "]:
            assert encode(text) == tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.engine
def test_a_tokenizer_that_splits_text_in_another_way_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    data = json.loads((copy / "tokenizer.json").read_text())
    data["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\s+"
    (copy / "tokenizer.json").write_text(json.dumps(data))
    with pytest.raises(ValueError, match="splits text as Qwen2's does"):
        export(copy, tmp_path / "out")


def test_attention_patterns_of_llama_cpp() -> None:
    assert _full_attention_interval(4, [0, 1, 2, 3]) == 0
    assert _full_attention_interval(4, [1, 3]) == 2
    assert _full_attention_interval(32, [7, 15, 23, 31]) == 8
    assert _full_attention_interval(4, []) == 5
    with pytest.raises(ValueError, match="has no pattern"):
        _full_attention_interval(4, [0, 3])
