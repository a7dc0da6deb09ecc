"""Several texts about one image: its tokens are evaluated once, whatever else alternates in the stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from anyanomaly_llamacpp.backend import GgufBackend
from anyanomaly_llamacpp.options import GgufOptions

from anyanomaly.core.expected import SCALES
from anyanomaly.types import Query, Sampling
from plugins.demo.training.export_gguf import Files

pytestmark = pytest.mark.engine
Ask = Callable[..., Query]
TEXTS = ("car", "bicycle", "red square", "dog on a lead", "person who falls")


def stream(ask: Ask, texts: tuple[str, ...], sampling: Sampling) -> list[Query]:
    """Return the queries of two segments of three contexts: text by text, context by context."""
    return [
        replace(query, id=query.id._replace(segment=segment, text=text, context=str(context)))
        for segment in range(2)
        for text in texts
        for context in range(3)
        for query in [ask(3 * segment + context, prompt=f"Is there a {text}?", sampling=sampling)]
    ]


@pytest.mark.parametrize("scale", SCALES)
def test_five_texts_evaluate_the_image_tokens_of_one(files: Files, ask: Ask, scale: str) -> None:
    image_tokens = []
    for texts in (TEXTS[:1], TEXTS):
        with GgufBackend(GgufOptions(model=str(files.model), batch_size=15)) as backend:
            queries = stream(ask, texts, Sampling(choices=SCALES[scale]))  # type: ignore[index]
            answers = list(backend.answer(queries))
            assert {answer.id for answer in answers} == {query.id for query in queries}
            assert all(set(answer.logprobs or ()) == set(SCALES[scale]) for answer in answers)  # type: ignore[index]
            image_tokens.append(backend.evaluated.image)
            n_prompt_tokens = sum(answer.prompt_tokens or 0 for answer in answers)
            assert backend.evaluated.image + backend.evaluated.text < n_prompt_tokens or len(texts) == 1
    assert image_tokens[0] == image_tokens[1] > 0


def test_a_digit_or_a_letter_is_one_token(files: Files, ask: Ask) -> None:
    with GgufBackend(GgufOptions(model=str(files.model))) as backend:
        for scale in ("digits", "letters"):
            before = backend.evaluated.text
            (answer,) = backend.answer_batch([ask(7, sampling=Sampling(choices=SCALES[scale]))])
            assert answer.output_tokens == 0
            assert backend.evaluated.text > before
            assert backend._running is not None
            assert all(len(backend._running._native.encode(choice)) == 1 for choice in SCALES[scale])
