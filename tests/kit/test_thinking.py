"""Prompts with thinking off and on, and the guard against models that think on their own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from anyanomaly.core.parse import parse_score
from anyanomaly.core.thinking import MARKERS, open_marker, remove_thinking
from anyanomaly.errors import BackendError, UsageError
from anyanomaly.kit import ChatThinking, Thinking, ThinkingGuard, check_scoring, thinks_in_special_tokens
from anyanomaly.kit.thinking import closing_text
from anyanomaly.types import Answer, Query, QueryId, Sampling
from tests.support.thinking_templates import TEMPLATES, ThinkingTemplate

HEADER = "<|im_start|>assistant\n"
templates = pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)


class Chat:
    """One chat template, as an engine renders it."""

    def __init__(self, template: ThinkingTemplate, thinking: Thinking) -> None:
        self.thinking = ChatThinking(thinking)
        self.n_renders = 0
        self._template = ImmutableSandboxedEnvironment().from_string(template.source("IMAGE"))

    def prompt(self, question: str) -> str:
        def render(switches: Mapping[str, Any]) -> str:
            def raise_exception(message: str) -> None:
                raise jinja2.TemplateError(message)

            self.n_renders += 1
            messages = [{"role": "user", "content": question}]
            settings = {"raise_exception": raise_exception, "add_generation_prompt": True, **switches}
            return self._template.render(messages=messages, **settings)

        return self.thinking.complete_prompt(render, question)


@templates
@pytest.mark.parametrize("thinking", ["off", "on"])
def test_a_prompt_ends_as_the_model_expects_it(template: ThinkingTemplate, thinking: Thinking) -> None:
    prompt = Chat(template, thinking).prompt("Is there a car?")
    assert prompt.partition(HEADER)[2] == getattr(template, thinking)
    assert thinking == "on" or not open_marker(prompt)


@templates
def test_a_template_is_tried_once(template: ThinkingTemplate) -> None:
    chat = Chat(template, "off")
    chat.prompt("Is there a car?")
    n_renders = chat.n_renders
    chat.prompt("Is there a bicycle?")
    assert chat.n_renders == n_renders + 1


@pytest.mark.parametrize("question", ["a sign with <think> on it", "<think>", "Is it [THINK] ?"])
def test_a_marker_in_the_question_opens_nothing(question: str) -> None:
    template = ThinkingTemplate("bare", "", "", "")
    chat = Chat(template, "off")
    chat._template = ImmutableSandboxedEnvironment().from_string("{{ messages[0].content }} ASSISTANT: ")
    assert chat.prompt(question) == f"{question} ASSISTANT: "


@given(st.sampled_from(MARKERS), st.sampled_from(["", "\n"]), st.sampled_from(["", "Hm, let me see. "]))
def test_every_marker_is_closed_and_the_answer_after_it_is_read(pair: tuple[str, str], line: str, words: str) -> None:
    prompt = f"USER: Is there a car? ASSISTANT: {pair[0]}{line}{words}"
    closed = prompt + closing_text(prompt)
    assert not open_marker(closed)
    assert parse_score(closed.partition("ASSISTANT: ")[2] + "0.7") == 0.7


@given(st.sampled_from(MARKERS), st.text("0123456789. score\n", max_size=40))
def test_thoughts_that_are_cut_off_give_no_score(pair: tuple[str, str], thoughts: str) -> None:
    chat = ChatThinking("on")
    answer = chat.complete_answer(f"USER: Is there a car? ASSISTANT: {pair[0]}", "Is there a car?", thoughts)
    assert remove_thinking(answer) == ""


@pytest.mark.parametrize("marker", ["<|begin_thinking|>", "[REASON]\n", "<my_thoughts>\n"])
@pytest.mark.parametrize("thinking", ["off", "on"])
def test_an_unknown_marker_is_one_clear_error(marker: str, thinking: Thinking) -> None:
    thinks = ChatThinking(thinking, "Model 'm'")
    with pytest.raises(UsageError, match=r"^Model 'm' opens thoughts with .*does not know the marker that closes them"):
        thinks.complete_prompt(lambda switches: f"Is there a car?<|assistant|>\n{marker}", "Is there a car?")


@pytest.mark.parametrize(
    "end", ["<|end_thinking|>", "[/REASON]", "<no_think>", "<|assistant|>", "<think:large></think:large>"]
)
def test_other_markers_are_no_error(end: str) -> None:
    assert (
        ChatThinking("off").complete_prompt(lambda switches: f"a <think> sign?{end}", "a <think> sign?").endswith(end)
    )


def test_a_template_that_refuses_the_conversation_fails_and_is_tried_again() -> None:
    thinking = ChatThinking("off")

    def refuse(_: Mapping[str, Any]) -> str:
        raise jinja2.TemplateError("no system turn")

    with pytest.raises(jinja2.TemplateError):
        thinking.complete_prompt(refuse, "?")
    assert thinking.complete_prompt(lambda switches: "? <think>\n" if not switches.get("thinking", True) else "?", "?")


@pytest.mark.parametrize(
    "token", ["<think>", "</think>", "[/THINK]", "<channel|>", "<|channel|>", "<|START_THINKING|>"]
)
def test_special_tokens_of_thoughts_are_kept(token: str) -> None:
    assert thinks_in_special_tokens([token, "<|im_end|>"])


@pytest.mark.parametrize(
    "token", ["<|im_end|>", "<|im_start|>", "<|endoftext|>", "</s>", "<image>", "!", "<|image_pad|>"]
)
def test_other_special_tokens_are_not_kept(token: str) -> None:
    assert not thinks_in_special_tokens([token])


def test_log_probabilities_are_refused_while_the_model_thinks() -> None:
    check_scoring("off", "expected")
    with pytest.raises(UsageError, match=r"--scoring yes-no .*--backend\.thinking on.*--scoring words.*--max-tokens"):
        check_scoring("on", "yes-no")


QUERY = Query(QueryId("video", 0, "car", "key"), (), "Is there a car?", sampling=Sampling(choices=("0.0", "1.0")))


def check(mass: float, words: str, n_queries: int = 1) -> int:
    """Run a guard over equal queries and return how many it asked in words."""
    asked: list[Query] = []

    def answer_in_words(query: Query) -> Answer:
        asked.append(query)
        assert not query.sampling.choices
        return Answer(query.id, words)

    answer = Answer(QUERY.id, logprobs={"0.0": math.log(mass / 2), "1.0": math.log(mass / 2), "0.5": -math.inf})
    ThinkingGuard("Model 'm'").check([QUERY] * n_queries, [answer] * n_queries, answer_in_words)
    return len(asked)


@pytest.mark.parametrize("words", ["<think>\nLet me see", "\n◁think▷The", "[THINK]I", "<|channel>thought\n", "<THINK>"])
def test_a_model_that_thinks_on_its_own_is_one_clear_error(words: str) -> None:
    with pytest.raises(BackendError, match=r"^Model 'm' thinks before it answers.*--scoring words.*--max-tokens"):
        check(0.01, words)


@pytest.mark.parametrize(
    "words", ["Score: 0.5", "I think so", "<answer>0.5", "<table>", "", "The tag <think> is shown"]
)
def test_a_model_with_another_reason_for_little_mass_is_asked_a_few_times_only(words: str) -> None:
    assert 1 <= check(0.01, words, n_queries=50) <= 4


def test_a_model_that_answers_at_once_is_not_asked() -> None:
    assert check(0.9, "<think>", n_queries=50) == 0
