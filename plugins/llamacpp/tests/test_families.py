"""Today's models as GGUF pairs: each loads, and scores as transformers does in single precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest
from anyanomaly_llamacpp import decoder
from anyanomaly_llamacpp.backend import GgufBackend
from anyanomaly_llamacpp.cache_sizes import read_cache_sizes
from anyanomaly_llamacpp.header import read_header
from anyanomaly_llamacpp.options import GgufOptions

from anyanomaly.core.expected import SCORES, expected_score
from anyanomaly.types import Answer, Query, QueryId, Sampling
from tests.support.tiny_gguf import Files, export
from tests.support.tiny_models import make_model
from tests.support.tiny_tokenizers import EVENT_TEXTS, QUESTION, SYSTEM

pytestmark = pytest.mark.engine

FAMILIES = ("qwen3_vl", "qwen3_5", "internvl3_5", "minicpmv4_6", "gemma4_bidirectional", "smolvlm", "lfm2_vl", "glm4v")
RECURRENT = ("qwen3_5", "lfm2_vl")
SIZES = ((224, 224), (240, 320), (96, 48), (200, 130))  # (height, width) in pixels
Make = Callable[[str], tuple[Path, Files]]


@pytest.fixture(scope="module")
def make_pair(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return a function from a family to its checkpoint and its GGUF files, made once."""
    pairs: dict[str, tuple[Path, Files]] = {}

    def make(family: str) -> tuple[Path, Files]:
        if family not in pairs:
            folder = make_model(family, tmp_path_factory.mktemp(family))
            pairs[family] = folder, export(folder, tmp_path_factory.mktemp(f"{family}-gguf"))
        return pairs[family]

    return make


def picture(number: int, size: tuple[int, int]) -> np.ndarray:
    """Return an image of coloured blocks with noise: uint8 (height, width, 3)."""
    random = np.random.default_rng(number)
    height, width = size
    blocks = random.integers(20, 236, (height // 28 + 1, width // 28 + 1, 3))
    image = blocks.repeat(28, axis=0).repeat(28, axis=1)[:height, :width] + random.integers(-20, 20, (height, width, 3))
    return image.astype(np.uint8)


def ask(number: int, *, n_images: int = 1, image: int | None = None, **more: Any) -> Query:
    size = SIZES[(number if image is None else image) % len(SIZES)]
    images = tuple(picture(10 * (number if image is None else image) + index, size) for index in range(n_images))
    text = EVENT_TEXTS[number % len(EVENT_TEXTS)]
    more = {"system": SYSTEM, "sampling": Sampling(choices=SCORES)} | more
    return Query(QueryId("video", number, text, "key"), images, QUESTION.format(text=text), **more)


def scores(answers: list[Answer]) -> list[float]:
    return [expected_score(answer.logprobs or {})[0] for answer in answers]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of GLM's processor in transformers
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_those_of_transformers(family: str, make_pair: Make) -> None:
    """On images of four shapes, two images in one question, the question first, and without a system text."""
    folder, files = make_pair(family)
    queries = [*map(ask, range(4)), ask(4, n_images=2), ask(5, text_first=True), ask(6, system="")]
    transformers = import_module("anyanomaly_transformers.backend").TransformersBackend
    options = import_module("anyanomaly_transformers.options").TransformersOptions
    with transformers(options(model=str(folder), device="cpu", dtype="float32")) as backend:
        reference = list(backend.answer_batch(queries))
    with GgufBackend(GgufOptions(model=str(files.model))) as backend:
        answers = list(backend.answer_batch(queries))
    assert [answer.prompt_tokens for answer in answers] == [answer.prompt_tokens for answer in reference]
    assert scores(answers) == pytest.approx(scores(reference), abs=0.02)
    assert np.ptp(scores(reference)) > 0.01  # images and texts make a difference


@pytest.fixture(scope="module", params=RECURRENT)
def recurrent(request: pytest.FixtureRequest, make_pair: Make) -> Iterator[GgufBackend]:
    with GgufBackend(GgufOptions(model=str(make_pair(request.param)[1].model))) as backend:
        yield backend


def test_answers_of_a_recurrent_state_do_not_depend_on_earlier_queries(recurrent: GgufBackend) -> None:
    queries = [ask(0), ask(1, image=0), ask(2), ask(1, image=0, text_first=True), ask(3, image=0, n_images=2)]
    queries.append(replace(ask(0), sampling=Sampling(max_tokens=5)))
    alone = []
    for query in queries:
        recurrent._running._decoder.close()  # type: ignore[union-attr]
        alone += recurrent.answer_batch([query])
    assert recurrent.answer_batch(queries) == alone
    assert recurrent.answer_batch(queries[::-1])[::-1] == alone


def test_an_image_of_many_questions_is_decoded_once(recurrent: GgufBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    n_tokens: list[int] = []
    decode = decoder.Decoder._decode_chunk
    monkeypatch.setattr(
        decoder.Decoder,
        "_decode_chunk",
        lambda self, chunk, *rest, **more: (
            n_tokens.append(0 if chunk.tokens else chunk.n_tokens),
            decode(self, chunk, *rest, **more),
        )[1],
    )
    recurrent.answer_batch([ask(number, image=7) for number in range(4)])
    assert len([count for count in n_tokens if count]) == 1


def test_many_answers_of_a_recurrent_state(recurrent: GgufBackend) -> None:
    """More paths than fit one batch: each answer's log-probability is that of decoding it alone."""
    choices = ("0.5", "yes, there is", "no, there is none", "a bicycle", "1.0")
    (together,) = recurrent.answer_batch([ask(0, sampling=Sampling(choices=choices))])
    for choice in choices:
        (alone,) = recurrent.answer_batch([ask(0, sampling=Sampling(choices=(choice,)))])
        assert (together.logprobs or {})[choice] == pytest.approx((alone.logprobs or {})[choice], abs=1e-3)


def test_tokens_of_an_image_that_see_each_other_stay_in_one_batch(make_pair: Make) -> None:
    """Gemma: in batches smaller than an image its tokens would not all see each other."""
    options = GgufOptions(model=str(make_pair("gemma4_bidirectional")[1].model))
    queries = [ask(0), ask(1, n_images=2)]
    with GgufBackend(options) as backend:
        expected = scores(list(backend.answer_batch(queries)))
    with GgufBackend(options.model_copy(update={"chunk_tokens": 32})) as backend:
        assert scores(list(backend.answer_batch(queries))) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("family", ["qwen3_vl", *RECURRENT])
def test_memory_of_a_context_is_known_before_it_is_allocated(family: str, make_pair: Make) -> None:
    """Keys and values of each token and the recurrent state, measured on two prompts of different lengths."""
    files = make_pair(family)[1]
    sizes = read_cache_sizes(read_header(files.model))
    measured = []
    with GgufBackend(GgufOptions(model=str(files.model))) as backend:
        for n_images in (1, 2):
            (answer,) = backend.answer_batch([ask(0, n_images=n_images, sampling=Sampling(max_tokens=1))])
            context = backend._running._decoder._context  # type: ignore[union-attr]
            measured.append((answer.prompt_tokens or 0, llama_cpp.llama_state_seq_get_size(context, 0)))
    (tokens, size), (more_tokens, more) = measured
    overhead = 32  # bytes per token for its position and sequence
    token_bytes = (more - size) / (more_tokens - tokens)
    state_bytes = size - tokens * token_bytes
    assert 0 < token_bytes <= sizes.token_bytes + overhead
    assert state_bytes <= sizes.state_bytes + 1000 <= 1.2 * state_bytes + 1000
