"""Templates of thinking models in vLLM: prompts, expected scores, answers in words, and errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from anyanomaly_vllm import jobs
from anyanomaly_vllm.backend import VllmBackend
from anyanomaly_vllm.loading import inspect_model
from anyanomaly_vllm.options import VllmOptions

from anyanomaly.core.expected import SCORES
from anyanomaly.core.thinking import remove_thinking
from anyanomaly.errors import BackendError, UsageError
from anyanomaly.kit import ChatThinking, Thinking, ThinkingGuard
from anyanomaly.types import Answer, Query, Sampling
from tests.support.thinking_templates import TEMPLATES, plain_template

pytestmark = pytest.mark.engine
Ask = Callable[..., Query]
SCORING = Sampling(choices=SCORES)


@pytest.fixture
def answer(backend: VllmBackend, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Answer]]:
    """Return a function from a chat template and queries to the answers of the running engine."""
    from vllm.renderers import ChatParams

    def make(source: str, queries: list[Query], thinking: Thinking = "off") -> list[Answer]:
        monkeypatch.setattr("vllm.renderers.ChatParams", partial(ChatParams, chat_template=source))
        monkeypatch.setattr(backend, "_thinking", ChatThinking(thinking))
        monkeypatch.setattr(backend, "_guard", ThinkingGuard("Model 'tiny'"))
        return list(backend.answer_batch(queries))

    return make


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_answers_are_those_of_a_plain_template_with_the_same_text(
    answer: Callable[..., list[Answer]], ask: Ask, template
) -> None:
    queries = [ask(0, sampling=SCORING), ask(1, system="Look.", sampling=SCORING), ask(2)]
    ours, theirs = answer(template.source(), queries), answer(plain_template(template.off), queries)
    assert [answer.prompt_tokens for answer in ours] == [answer.prompt_tokens for answer in theirs]
    assert [answer.text for answer in ours] == [answer.text for answer in theirs]
    for our_answer, their_answer in zip(ours[:2], theirs[:2], strict=True):
        assert our_answer.logprobs == pytest.approx(their_answer.logprobs, abs=1e-4)
    (on,) = answer(template.source(), [ask(2)], "on")
    (same_prompt,) = answer(plain_template(template.on), [ask(2)], "on")
    assert (on.text, on.prompt_tokens) == (same_prompt.text, same_prompt.prompt_tokens)
    assert (on.prompt_tokens != ours[2].prompt_tokens) is (template.off != template.on)
    if "think" in template.on.lower():
        assert remove_thinking(on.text) == ""  # six tokens of thoughts, cut off


def test_expected_scores_with_thinking_on_are_refused(answer: Callable[..., list[Answer]], ask: Ask) -> None:
    with pytest.raises(UsageError, match=r"--backend\.thinking on.*--scoring words"):
        answer(plain_template(""), [ask(0, sampling=SCORING)], "on")


def test_the_fingerprint_names_thinking_that_is_on(options: VllmOptions, backend: VllmBackend) -> None:
    assert "thinking" not in backend.fingerprint
    log = backend._log
    assert log is not None
    assert "thinking=on" in inspect_model(options.model_copy(update={"thinking": "on"}), log).fingerprint


# Last: an error ends the engine that all tests share.
def test_a_model_that_thinks_on_its_own_is_an_error(
    answer: Callable[..., list[Answer]], ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "decode_words", lambda tokenizer, tokens: "<think>Let me see")
    with pytest.raises(BackendError, match=r"thinks before it answers.*--scoring words"):
        answer(plain_template(""), [ask(0, sampling=SCORING)])
