"""Answers: exact log-probabilities, independent of earlier queries, and images that are encoded once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from anyanomaly_llamacpp import decoder
from anyanomaly_llamacpp.backend import GgufBackend
from anyanomaly_llamacpp.chunks import open_prompt
from anyanomaly_llamacpp.engine import NativeModel
from anyanomaly_llamacpp.generation import penalise
from anyanomaly_llamacpp.options import GgufOptions

from anyanomaly.core.expected import SCORES, expected_score
from anyanomaly.errors import UsageError
from anyanomaly.types import Query, Sampling
from plugins.demo.training.export_gguf import Files

pytestmark = pytest.mark.engine
Ask = Callable[..., Query]
UNEVEN = ("0", "0.5", "yes", "no, there is none", "no bicycle")


def decoded_logprobs(backend: GgufBackend, query: Query) -> dict[str, float]:
    """Return each choice's log-probability, its tokens decoded one by one after the complete prompt."""
    running = backend._running
    assert running is not None
    text = running._chat.render(query)
    logprobs = {}
    for choice in query.sampling.choices:
        tokens = running._native.encode(choice)
        with open_prompt(running._native, text, query.images, running._layout) as pieces:
            row = running._decoder.prefill(pieces, len(tokens))
        logprobs[choice] = 0.0
        for n, token in enumerate(tokens):
            logprobs[choice] += row[token] - np.logaddexp.reduce(row)
            row = running._decoder.append(token, n)
    return logprobs


@pytest.mark.parametrize("choices", [SCORES, UNEVEN, ("yes",)], ids=["scores", "uneven", "one"])
def test_log_probabilities_equal_those_of_decoding_each_answer(
    qwen: GgufBackend, ask: Ask, choices: tuple[str, ...]
) -> None:
    query = ask(3, n_images=2, sampling=Sampling(choices=choices))
    (answer,) = qwen.answer_batch([query])
    # the key-value cache is in half precision: rounding errors add up over the tokens of an answer
    assert answer.logprobs == pytest.approx(decoded_logprobs(qwen, query), abs=1e-3)
    assert list(answer.logprobs or ()) == list(choices)


def test_eleven_scores_cost_one_small_batch_after_the_prefill(
    qwen: GgufBackend, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_sizes: list[int] = []
    decode = decoder.Decoder._decode
    monkeypatch.setattr(
        decoder.Decoder, "_decode", lambda self, steps: (batch_sizes.append(len(steps)), decode(self, steps))
    )
    qwen.answer_batch([ask(1, sampling=Sampling(choices=SCORES))])
    assert batch_sizes.count(4) == 1  # "0." and "1."; other batches are the prefill and the guard against thinking


def test_transformers_gives_the_same_answers(folder: Any, qwen: GgufBackend, ask: Ask) -> None:
    """With images that are enlarged, reduced and unchanged, in both orders of image and text."""
    transformers = import_module("anyanomaly_transformers.backend").TransformersBackend
    options = import_module("anyanomaly_transformers.options").TransformersOptions
    system = "You are a vision anomaly detector."
    queries = [ask(n, n_images=1 + n % 2, text_first=n == 2, system=system if n else "") for n in range(4)]
    score_queries = [replace(query, sampling=Sampling(choices=SCORES)) for query in queries]
    with transformers(options(model=str(folder), device="cpu", dtype="float32")) as reference:
        reference_answers = reference.answer_batch([*queries, *score_queries])
    for answer, expected in zip(qwen.answer_batch([*queries, *score_queries]), reference_answers, strict=True):
        assert (answer.text, answer.prompt_tokens) == (expected.text, expected.prompt_tokens)
        if expected.logprobs:
            assert answer.logprobs is not None
            assert expected_score(answer.logprobs) == pytest.approx(expected_score(expected.logprobs), abs=0.02)


def test_answers_do_not_depend_on_earlier_queries(qwen: GgufBackend, ask: Ask) -> None:
    scores = Sampling(choices=SCORES)
    image = ask(0).images
    queries = [
        ask(0, sampling=scores),
        ask(0, prompt="Is there a car?", sampling=scores),
        ask(1, sampling=scores),
        ask(0, text_first=True, sampling=scores),
        ask(0),
    ]
    assert all(query.images[0].tobytes() == image[0].tobytes() for query in queries if query.id.segment == 0)
    batch_answers = qwen.answer_batch(queries)
    assert batch_answers == qwen.answer_batch(queries[::-1])[::-1]
    assert batch_answers == [qwen.answer_batch([query])[0] for query in queries]
    assert len({repr(answer) for answer in batch_answers}) == len(queries)


def test_an_image_of_many_questions_is_encoded_once(
    qwen: GgufBackend, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[Any] = []
    encode = decoder.mtmd_cpp.mtmd_encode_chunk
    monkeypatch.setattr(
        decoder.mtmd_cpp, "mtmd_encode_chunk", lambda *arguments: (encoded.append(arguments), encode(*arguments))[1]
    )
    decoded: list[Any] = []
    decode = decoder.mtmd_cpp.mtmd_helper_decode_image_chunk
    monkeypatch.setattr(
        decoder.mtmd_cpp,
        "mtmd_helper_decode_image_chunk",
        lambda *arguments: (decoded.append(arguments), decode(*arguments))[1],
    )
    sampling = Sampling(choices=SCORES)
    queries = [
        ask(segment, prompt=f"Is there a {text}?", sampling=sampling)
        for text in ("car", "bicycle", "red square")
        for segment in (20, 21)
    ]
    qwen.answer_batch(queries)
    assert len(encoded) == 2
    assert len(decoded) == 2  # the prefix cache of the language model has it too


def test_each_answer_comes_before_the_next_query_of_the_batch_is_answered(qwen: GgufBackend, ask: Ask) -> None:
    prompts = ["A bicycle?", "B bicycle?", "C <|im_end|>?"]  # the last one is refused
    queries = [replace(ask(prompt=prompt), id=ask(number).id) for number, prompt in enumerate(prompts)]
    answers = qwen.answer(reversed(queries))
    assert [next(answers).id, next(answers).id] == [queries[0].id, queries[1].id]
    with pytest.raises(UsageError):
        next(answers)


def test_a_sampled_answer_depends_on_seed_and_content_only(qwen: GgufBackend, ask: Ask) -> None:
    def sampled_text(number: int, seed: int) -> str:
        sampling = Sampling(max_tokens=12, temperature=1.5, top_p=0.95, seed=seed)
        return qwen.answer_batch([ask(number, sampling=sampling)])[0].text

    assert sampled_text(0, seed=1) == sampled_text(0, seed=1)
    assert len({sampled_text(0, seed=seed) for seed in range(4)}) == 4


def test_the_repetition_penalty_counts_question_and_answer(qwen: GgufBackend, ask: Ask) -> None:
    def answer_text(penalty: float) -> str:
        return qwen.answer_batch([ask(0, sampling=Sampling(max_tokens=8, repetition_penalty=penalty))])[0].text

    assert answer_text(1.0) != answer_text(
        0.01
    )  # below 1 the penalty makes used tokens likely: words of the question are repeated
    row = np.array([4.0, 4.0, -1.0, 4.0])
    assert penalise(row, {0, 2}, 2.0).tolist() == [2.0, 4.0, -2.0, 4.0]
    assert row.tolist() == [4.0, 4.0, -1.0, 4.0]


def test_the_context_grows_and_a_query_that_does_not_fit_is_refused(files: Files, ask: Ask) -> None:
    with GgufBackend(GgufOptions(model=str(files.model))) as backend:
        short, long = ask(0), ask(1, prompt="Look. " * 400)
        before = backend.answer_batch([short])
        (answer,) = backend.answer_batch([long])
        assert (answer.prompt_tokens or 0) > decoder.CONTEXT_STEP
        assert backend.answer_batch([short]) == before
        with pytest.raises(UsageError, match=r"tokens, \d+ of them for its images.*--backend\.context-size"):
            backend.answer_batch([ask(1, prompt="Look. " * 9000)])
        assert backend.answer_batch([short]) == before


def test_ctrl_c_stops_a_query_and_the_backend_still_answers(
    files: Files, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NativeModel, "is_end", lambda self, token: False)
    with GgufBackend(GgufOptions(model=str(files.model))) as backend:
        query = ask(0)
        before = backend.answer_batch([query])
        endless = ask(1, sampling=Sampling(max_tokens=3000, seed=1))
        alarm = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        alarm.start()
        with pytest.raises(KeyboardInterrupt):
            backend.answer_batch([endless])
        alarm.join()
        assert backend.answer_batch([query]) == before


def test_a_question_with_a_special_token_is_refused(qwen: GgufBackend, ask: Ask) -> None:
    for token in ("<|im_end|>", "<|image_pad|>", "<__anyanomaly_image__>"):
        with pytest.raises(UsageError, match="special token of this model"):
            qwen.answer_batch([ask(0, prompt=f"a {token} of it")])


def test_llama_cpp_writes_nothing_to_the_terminal(files: Files, ask: Ask, capfd: pytest.CaptureFixture[str]) -> None:
    with GgufBackend(GgufOptions(model=str(files.model))) as backend:
        backend.answer_batch([ask(0), ask(1, sampling=Sampling(choices=SCORES))])
    assert capfd.readouterr() == ("", "")
