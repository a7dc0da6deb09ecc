"""Several texts about one image: its tokens are evaluated once, and the answers stay those of separate questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from anyanomaly_transformers.backend import TransformersBackend
from anyanomaly_transformers.options import TransformersOptions
from anyanomaly_transformers.shared_images import heads

from anyanomaly.core.expected import SCALES
from anyanomaly.types import Answer, Query, Sampling

pytestmark = pytest.mark.engine
Ask = Callable[..., Query]
TEXTS = ("car", "bicycle", "red square", "dog on a lead", "person who falls")
SYSTEM = "You are a vision anomaly detector."
WORDS = Sampling(max_tokens=5, repetition_penalty=1.2)


def stream(ask: Ask, sampling: Sampling, texts: tuple[str, ...] = TEXTS, n_segments: int = 1) -> list[Query]:
    """Return queries as a run plans them: segment by segment, text by text, context by context."""
    return [
        replace(query, id=query.id._replace(segment=segment, text=text, context=str(context)))
        for segment in range(n_segments)
        for text in texts
        for context in range(2)
        for query in [
            ask(2 * segment + context, n_images=1 + context, prompt=f"Is there a {text}?", system=SYSTEM,
                sampling=sampling)
        ]
    ]  # fmt: skip


def answer_whole(backend: TransformersBackend, queries: list[Query]) -> list[Answer]:
    """Return the answers to queries that are evaluated from their first token to their last."""
    answerer = backend._answerer
    assert answerer is not None
    can_share, answerer.can_share = answerer.can_share, False
    try:
        return [backend.answer_batch([query])[0] for query in queries]
    finally:
        answerer.can_share = can_share


@pytest.mark.parametrize("sampling", [Sampling(choices=SCALES["tenths"]), WORDS], ids=["scores", "words"])
def test_answers_are_those_of_questions_that_share_nothing(
    backend: TransformersBackend, ask: Ask, sampling: Sampling
) -> None:
    assert backend._answerer is not None
    assert backend._answerer.can_share
    queries = stream(ask, sampling, TEXTS[1:4])
    for answer, alone in zip(backend.answer_batch(queries), answer_whole(backend, queries), strict=True):
        assert (answer.id, answer.text, answer.prompt_tokens) == (alone.id, alone.text, alone.prompt_tokens)
        assert answer.logprobs == (alone.logprobs and pytest.approx(alone.logprobs, abs=1e-4))


@pytest.mark.parametrize("batch_size", [1, 2, 8])
@pytest.mark.parametrize("scale", ["tenths", "digits"])
def test_five_texts_evaluate_the_image_tokens_of_one(
    checkpoint: Callable[[str], Path], ask: Ask, batch_size: int, scale: str
) -> None:
    options = TransformersOptions(model=str(checkpoint("qwen2_5_vl")), device="cpu", batch_size=batch_size)
    image_tokens = []
    for texts in (TEXTS[:1], TEXTS):
        with TransformersBackend(options) as backend:
            queries = stream(ask, Sampling(choices=SCALES[scale]), texts, n_segments=2)  # type: ignore[index]
            assert {answer.id for answer in backend.answer(queries)} == {query.id for query in queries}
            image_tokens.append(backend.evaluated.image)
    assert image_tokens[0] == image_tokens[1] > 0


def test_one_call_per_question_evaluates_the_image_once(qwen: TransformersBackend, ask: Ask) -> None:
    queries = [ask(11, prompt=f"Is there a {text}?", sampling=Sampling(choices=("yes", "no"))) for text in TEXTS]
    before = qwen.evaluated.image
    qwen.answer_batch(queries[:1])
    n_image_tokens = qwen.evaluated.image - before
    for query in queries[1:]:
        qwen.answer_batch([query])
    assert qwen.evaluated.image - before == n_image_tokens > 0


def test_questions_before_their_images_share_nothing(qwen: TransformersBackend, ask: Ask) -> None:
    queries = [ask(12, prompt=f"Is there a {text}?", text_first=True) for text in TEXTS[:2]]
    before = qwen.evaluated.image
    answers = qwen.answer_batch(queries)
    assert [answer.text for answer in answers] == [qwen.answer_batch([query])[0].text for query in queries]
    assert qwen.evaluated.image - before > 0


def test_what_is_kept_is_bounded_and_changes_no_answer(
    qwen: TransformersBackend, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = stream(ask, Sampling(choices=SCALES["letters"]), TEXTS[:2], n_segments=2)
    kept = qwen.answer_batch(queries)
    monkeypatch.setattr(heads, "MAX_BYTES", 0)
    assert qwen.answer_batch(queries) == kept


def test_a_run_that_starts_again_gives_the_same_numbers(checkpoint: Callable[[str], Path], ask: Ask) -> None:
    """After the first window, as from the answer store, in another process that has kept nothing."""
    options = TransformersOptions(model=str(checkpoint("qwen2_5_vl")), device="cpu", batch_size=2)
    queries = stream(ask, Sampling(choices=SCALES["tenths"]), TEXTS[:3], n_segments=2)
    with TransformersBackend(options) as backend:
        n_stored = backend.max_inflight
        complete = {answer.id: answer for answer in backend.answer(queries)}
    with TransformersBackend(options) as backend:
        rest = {answer.id: answer for answer in backend.answer(queries[n_stored:])}
    assert rest == {query.id: complete[query.id] for query in queries[n_stored:]}


@pytest.mark.parametrize("architecture", ["qwen2_5_vl", "glm4v", "idefics3", "llava"])
def test_images_of_several_questions_are_evaluated_in_one_pass_where_a_device_gains_from_it(
    checkpoint: Callable[[str], Path], ask: Ask, architecture: str
) -> None:
    """As on a GPU: heads of different lengths in a batch, for questions that share them, and none kept."""
    queries = [*stream(ask, Sampling(choices=SCALES["tenths"]), TEXTS[:2]), ask(17, sampling=WORDS)]
    with TransformersBackend(TransformersOptions(model=str(checkpoint(architecture)), device="cpu")) as backend:
        answerer = backend._answerer
        assert answerer is not None
        alone = answer_whole(backend, queries)
        n_image_tokens = backend.evaluated.image
        answerer._keeps_heads = answerer.always_shares = False
        answerer._preparer._heads_per_pass = 8
        answers = backend.answer_batch(queries)
        assert 0 < backend.evaluated.image - n_image_tokens < n_image_tokens
    for answer, expected in zip(answers, alone, strict=True):
        assert (answer.text, answer.prompt_tokens) == (expected.text, expected.prompt_tokens)
        assert answer.logprobs == (expected.logprobs and pytest.approx(expected.logprobs, abs=1e-4))
