"""Prompts and answers of the engine equal those of transformers for the same folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from anyanomaly_transformers.backend import TransformersBackend
from anyanomaly_transformers.options import TransformersOptions
from anyanomaly_transformers.prompts import encode_batch, render_prompt
from anyanomaly_vllm.backend import VllmBackend
from anyanomaly_vllm.generation import sampling_params
from anyanomaly_vllm.prompts import messages

from anyanomaly.core.expected import SCORES, expected_score
from anyanomaly.errors import BackendError, UsageError
from anyanomaly.types import Query, Sampling

pytestmark = pytest.mark.engine
Ask = Callable[..., Query]
UNEVEN = ("0", "0.5", "yes", "no, there is none", "no bicycle")
SYSTEM = "You are a vision anomaly detector."


@pytest.fixture(scope="module")
def reference(folder: Path) -> Iterator[TransformersBackend]:
    with TransformersBackend(TransformersOptions(model=str(folder), device="cpu")) as loaded:
        yield loaded


def make_queries(ask: Ask, **sampling: object) -> list[Query]:
    query_sampling = Sampling(**sampling)  # type: ignore[arg-type]
    return [
        ask(0, sampling=query_sampling),
        ask(1, n_images=2, prompt="A longer question. " * 4, system=SYSTEM, sampling=query_sampling),
        ask(2, n_images=3, text_first=True, sampling=query_sampling),
        ask(3, n_images=0, sampling=query_sampling),
    ]


def test_prompts_are_those_of_transformers_token_for_token(
    backend: VllmBackend, reference: TransformersBackend, ask: Ask
) -> None:
    assert backend._engine is not None
    assert reference._loaded is not None
    processor = reference._loaded.processor
    for query in make_queries(ask):
        backend._engine.submit(
            backend._engine.tokenise(backend._engine.write(messages(query), {})), sampling_params(query)
        )
        outputs: list[tuple[str, Any]] = []
        while not outputs:
            outputs = backend._engine.step()
        ((_, output),) = outputs
        assert (
            output.prompt_token_ids
            == encode_batch(processor, [query], [render_prompt(processor, query)])["input_ids"][0].tolist()
        )


@pytest.mark.parametrize("choices", [SCORES, UNEVEN, ("yes",)], ids=["scores", "uneven", "one"])
def test_log_probabilities_are_those_of_transformers(
    backend: VllmBackend, reference: TransformersBackend, ask: Ask, choices: tuple[str, ...]
) -> None:
    queries = make_queries(ask, choices=choices)
    for ours, theirs in zip(backend.answer_batch(queries), reference.answer_batch(queries), strict=True):
        assert ours.logprobs == pytest.approx(theirs.logprobs, abs=2e-3)
        assert list(ours.logprobs or ()) == list(choices)
        assert ours.prompt_tokens == theirs.prompt_tokens


def test_the_expected_score_costs_three_tokens_where_a_score_has_three(backend: VllmBackend, ask: Ask) -> None:
    (answer,) = backend.answer_batch([ask(5, sampling=Sampling(choices=SCORES))])
    assert (
        answer.output_tokens == 3
    )  # requests after the empty prefix, "0." and "1."; they also give what follows "0" and "1"
    value, mass = expected_score(answer.logprobs or {})
    assert 0 <= value <= 1
    assert 0 < mass <= 1


@pytest.mark.parametrize("choices", [tuple("0123456789"), tuple("abcdef")], ids="".join)
def test_a_scale_of_single_tokens_costs_one_request_a_score(
    backend: VllmBackend, reference: TransformersBackend, ask: Ask, choices: tuple[str, ...]
) -> None:
    query = ask(8, sampling=Sampling(choices=choices))
    (answer,) = backend.answer_batch([query])
    assert answer.output_tokens == 1
    assert answer.logprobs == pytest.approx(reference.answer_batch([query])[0].logprobs, abs=2e-3)


def test_texts_about_one_image_share_its_prefill(
    backend: VllmBackend, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = backend._engine
    assert engine is not None
    assert backend._model is not None
    block = engine._llm.llm_engine.vllm_config.cache_config.block_size
    image_token = engine._llm.llm_engine.model_config.hf_config.image_token_id
    outputs: list[Any] = []
    plain_step = engine.step

    def step() -> list[tuple[str, Any]]:
        finished = plain_step()
        outputs.extend(output for _, output in finished)
        return finished

    monkeypatch.setattr(engine, "step", step)
    first = ask(9, n_images=3, system="You look at a street. " * (block // 5))  # longer than a block of the cache
    texts = ("bicycle", "dog", "car", "stroller", "umbrella")
    queries = [
        replace(first, id=first.id._replace(text=text), prompt=f"Is there a {text}?", sampling=Sampling(max_tokens=1))
        for text in texts
    ]
    list(backend.answer(queries))
    assert len(outputs) == len(texts)
    ids = [output.prompt_token_ids for output in outputs]
    image_end = len(ids[0]) - ids[0][::-1].index(image_token)
    assert image_end > block
    assert all(other[:image_end] == ids[0][:image_end] for other in ids)  # the images come first
    assert sorted(output.num_cached_tokens >= image_end // block * block for output in outputs) == [False] + [True] * 4


def test_a_repeated_query_costs_more_requests_and_scores_the_same(backend: VllmBackend, ask: Ask) -> None:
    """The prompt ends one token before a cache block does, so after the first run the block holds a "0" as well."""
    assert backend._engine is not None
    assert backend._model is not None
    block = backend._engine._llm.llm_engine.vllm_config.cache_config.block_size
    scores = Sampling(choices=SCORES)
    sizer = backend._model.sizer
    questions = (ask(6, prompt="bicycle " * count, sampling=scores) for count in range(1, 2 * block))
    query = next(
        question for question in questions if (sizer.size([question]).tokens - len("0.0")) % block == block - 1
    )
    (first,) = backend.answer_batch([query])
    repeated, different = backend.answer_batch([query, ask(7, sampling=scores)])
    assert [answer.output_tokens for answer in (first, repeated, different)] == [3, 5, 3]
    assert repeated.logprobs == pytest.approx(first.logprobs, abs=1e-5)


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_greedy_words_are_those_of_transformers(
    backend: VllmBackend, reference: TransformersBackend, ask: Ask, penalty: float
) -> None:
    queries = make_queries(ask, max_tokens=6, repetition_penalty=penalty)
    ours, theirs = backend.answer_batch(queries), reference.answer_batch(queries)
    assert [answer.text for answer in ours] == [answer.text for answer in theirs]
    assert [answer.output_tokens for answer in ours] == [answer.output_tokens for answer in theirs]


def test_a_sampled_answer_depends_on_the_seed(backend: VllmBackend, ask: Ask) -> None:
    def sampled_text(seed: int) -> str:
        return backend.answer_batch([ask(0, sampling=Sampling(max_tokens=12, temperature=1.5, seed=seed))])[0].text

    assert sampled_text(1) == sampled_text(1)
    assert len({sampled_text(seed) for seed in range(4)}) == 4


def test_a_question_with_a_special_token_is_refused(backend: VllmBackend, ask: Ask) -> None:
    with pytest.raises(UsageError, match="special token of this model"):
        backend.answer_batch([ask(0, prompt="a <|image_pad|> of it")])


def test_a_query_that_is_too_long_says_how_long_it_is(backend: VllmBackend, ask: Ask) -> None:
    with pytest.raises(BackendError, match=r"needs \d+ tokens.*takes 768.*--backend\.max-model-len"):
        backend.answer_batch([ask(0, prompt="bicycle " * 800)])
