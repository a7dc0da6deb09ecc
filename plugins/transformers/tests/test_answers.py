"""Every architecture: words and exact log-probabilities, equal in a batch and alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from anyanomaly_transformers.backend import TransformersBackend
from anyanomaly_transformers.prompts import encode_batch, render_prompt

from anyanomaly.core.expected import SCORES
from anyanomaly.types import Query, Sampling

pytestmark = pytest.mark.engine
Ask = Callable[..., Query]
UNEVEN = ("0", "0.5", "yes", "no, there is none", "no bicycle")


def full_pass_logprobs(backend: TransformersBackend, query: Query) -> dict[str, float]:
    """Return each choice's log-probability from a complete forward pass per choice, without a cache."""
    assert backend._loaded is not None
    model, processor, *_ = backend._loaded
    text = render_prompt(processor, query)
    values = {}
    for choice, ids in zip(
        query.sampling.choices, backend._loaded.encode_choices(text, query.sampling.choices), strict=True
    ):
        inputs = dict(encode_batch(processor, [query], [text]))
        for name, value in inputs.items():
            if name in {"input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids"}:
                tail = {"input_ids": list(ids), "attention_mask": [1] * len(ids)}.get(name, [0] * len(ids))
                inputs[name] = torch.cat([value, torch.tensor([tail])], dim=1)
        with torch.no_grad():
            logits = model(**inputs, use_cache=False).logits[0, -len(ids) - 1 : -1].log_softmax(-1)
        values[choice] = sum(float(row[token]) for row, token in zip(logits, ids, strict=True))
    return values


@pytest.mark.parametrize("choices", [SCORES, UNEVEN, ("yes",)], ids=["scores", "uneven", "one"])
def test_logprobs_equal_those_of_a_full_pass_per_choice(
    backend: TransformersBackend, ask: Ask, choices: tuple[str, ...]
) -> None:
    query = ask(3, n_images=2, sampling=Sampling(choices=choices))
    answer = backend.answer_batch([query])[0]
    assert answer.logprobs == pytest.approx(full_pass_logprobs(backend, query), abs=1e-4)
    assert list(answer.logprobs or ()) == list(choices)


def test_a_mixed_batch_gives_the_answers_of_single_queries(backend: TransformersBackend, ask: Ask) -> None:
    queries = [
        ask(0, sampling=Sampling(choices=SCORES)),
        ask(1, n_images=2, prompt="A longer question. " * 4),
        ask(2, n_images=3, sampling=Sampling(choices=UNEVEN), prompt="Look. Is it there?"),
        ask(3, system="You are a vision anomaly detector.", sampling=Sampling(max_tokens=6, repetition_penalty=1.3)),
        ask(4, text_first=True, sampling=Sampling(choices=SCORES), prompt="What " * 9),
        ask(5, n_images=2, sampling=Sampling(max_tokens=6, repetition_penalty=1.3)),
        ask(6, n_images=0),
        ask(7, sampling=Sampling(max_tokens=6, temperature=0.8, top_p=0.9)),
        ask(8, n_images=2, prompt="Hm?", sampling=Sampling(max_tokens=6, temperature=0.8, top_p=0.9)),
    ]
    batch_answers = backend.answer_batch(queries)
    assert [answer.id for answer in batch_answers] == [query.id for query in queries]
    for query, answer in zip(queries, batch_answers, strict=True):
        single = backend.answer_batch([query])[0]
        assert answer.text == single.text
        assert (answer.prompt_tokens, answer.output_tokens) == (single.prompt_tokens, single.output_tokens)
        if query.sampling.choices:
            assert answer.logprobs == pytest.approx(single.logprobs, abs=1e-4)
        else:
            assert answer.logprobs is None


def test_the_answer_depends_on_image_order_question_and_their_order(backend: TransformersBackend, ask: Ask) -> None:
    sampling = Sampling(choices=SCORES)
    query = ask(1, n_images=2, sampling=sampling)
    swapped = Query(query.id, query.images[::-1], query.prompt, sampling=sampling)
    variants = [
        swapped,
        ask(1, n_images=1, sampling=sampling),
        ask(1, n_images=2, prompt="Is there a car?", sampling=sampling),
        ask(1, n_images=2, text_first=True, sampling=sampling),
        ask(1, n_images=2, system="You are a vision anomaly detector.", sampling=sampling),
    ]
    first, *variant_answers = backend.answer_batch([query, *variants])
    for answer in variant_answers:
        assert answer.logprobs != pytest.approx(first.logprobs, abs=1e-3)


def test_the_same_batch_gives_the_same_numbers(backend: TransformersBackend, ask: Ask) -> None:
    queries = [ask(0), ask(1, n_images=2, sampling=Sampling(choices=SCORES))]
    assert backend.answer_batch(queries) == backend.answer_batch(queries)


def test_greedy_words_ignore_the_sampling_defaults_of_the_checkpoint(backend: TransformersBackend, ask: Ask) -> None:
    """The first greedy token must be the likeliest one of a complete forward pass."""
    assert backend._loaded is not None
    model, processor, *_ = backend._loaded
    query = ask(2, sampling=Sampling(max_tokens=1))
    with torch.no_grad():
        logits = model(**encode_batch(processor, [query], [render_prompt(processor, query)]), use_cache=False).logits[
            0, -1
        ]
    expected = processor.tokenizer.decode([int(logits.argmax())], skip_special_tokens=True).strip()
    answer = backend.answer_batch([query])[0]
    assert (answer.text, answer.output_tokens) == (expected, 1)
