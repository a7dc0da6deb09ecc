"""Thinking models on servers: what each kind of server is sent, and what is read from its answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from anyanomaly_openai.backend import OpenAiBackend
from anyanomaly_openai.options import OpenAiOptions
from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from anyanomaly.core.expected import SCORES
from anyanomaly.core.thinking import remove_thinking
from anyanomaly.errors import BackendError, UsageError
from anyanomaly.testing.samples import sample_queries
from anyanomaly.types import Query, Sampling
from plugins.openai.tests.scripted_server import (
    MODELS,
    Handler,
    Script,
    ScriptedServer,
    answer_correctly,
    serve,
    text_answer,
)
from tests.support.thinking_templates import CLOSED, TEMPLATES, ThinkingTemplate

QUERY = next(sample_queries())
SCORING = Query(QUERY.id, QUERY.images, "Is it there?", sampling=Sampling(choices=SCORES))
Load = Callable[..., tuple[OpenAiBackend, ScriptedServer]]


@pytest.fixture
def load() -> Iterator[Load]:
    """Return a function from a chat template, and the server's script and options, to a loaded backend."""
    with ExitStack() as stack:

        def make(
            template: ThinkingTemplate | None = None, script: Script = answer_correctly, **options: Any
        ) -> tuple[OpenAiBackend, ScriptedServer]:
            server = stack.enter_context(serve(script))
            if template:
                server.replies["/apply-template"] = lambda content: (200, {"prompt": render(template, content)})
            settings = {"base_url": server.url, "retries": 0, "timeout_seconds": 5, **options}
            return stack.enter_context(OpenAiBackend(OpenAiOptions(**settings))), server

        yield make


def render(template: ThinkingTemplate, content: dict[str, Any]) -> str:
    """Return the prompt as llama.cpp's server writes it: a turn of the assistant at the end is appended as it is."""

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment()
    environment.globals["raise_exception"] = raise_exception
    *turns, last = content["messages"]
    start = last["content"] if last["role"] == "assistant" else ""
    messages = turns if start else content["messages"]
    switches = content.get("chat_template_kwargs", {})
    try:
        text = environment.from_string(template.source()).render(
            messages=messages, add_generation_prompt=True, **switches
        )
    except TemplateError:
        return ""
    return text + start


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_the_requests_to_llama_cpp_make_the_prompt_that_the_model_expects(
    load: Load, template: ThinkingTemplate
) -> None:
    backend, server = load(template)
    (answer,) = backend.answer_batch([SCORING])
    assert answer.logprobs is not None
    backend.answer_batch([QUERY])
    assert {render(template, content).partition("assistant\n")[2] for content in server.posted} == {template.off}
    thinking, server = load(template, thinking="on")
    thinking.answer_batch([QUERY])
    assert {render(template, content).partition("assistant\n")[2] for content in server.posted} == {template.on}
    assert "thinking=on" in thinking.fingerprint


@pytest.mark.parametrize(
    ("server", "thinking", "fields"),
    [
        ("sglang", "off", {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}),
        ("sglang", "on", {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}}),
        ("vllm", "off", {"chat_template_kwargs": {"enable_thinking": False}}),  # of a release that hides its prompts
        ("llama.cpp", "on", {"chat_template_kwargs": {"enable_thinking": True}}),
        ("ollama", "off", {"reasoning_effort": "none"}),
        ("ollama", "on", {}),
        ("other", "off", {}),  # api.openai.com refuses a request with a field that it does not know
        ("other", "on", {}),
    ],
)
def test_each_kind_of_server_gets_the_fields_that_it_knows(
    load: Load, server: str, thinking: str, fields: dict[str, Any]
) -> None:
    backend, scripted = load(server=server, thinking=thinking)
    backend.answer_batch([QUERY])
    (content,) = scripted.posted
    usual = {"model", "messages", "max_tokens", "temperature", "top_p", "seed", "repetition_penalty", "repeat_penalty"}
    assert {name: value for name, value in content.items() if name not in usual} == fields


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_nothing_is_read_from_the_reasoning_and_one_warning_says_so(
    load: Load, field: str, caplog: pytest.LogCaptureFixture
) -> None:
    def reply(content: str | None) -> Script:
        def script(handler: Handler, request: dict[str, Any] | None) -> None:
            message = {"role": "assistant", "content": content, field: "The score is 0.9."}
            handler.reply(MODELS if request is None else {"choices": [{"message": message}]})

        return script

    for empty in (None, "", " \n"):
        backend, _ = load(script=reply(empty))
        (answer,) = backend.answer_batch([QUERY])
        assert [record.message for record in caplog.records if "no score is read from thoughts" in record.message]
        assert answer.text  # an answer that was cut off, not one that is empty
        assert remove_thinking(answer.text) == ""
        caplog.clear()
        backend.answer_batch([QUERY])
        assert not caplog.records
    backend, _ = load(TEMPLATES[2], reply("0.3"), thinking="on")
    assert [answer.text for answer in backend.answer_batch([QUERY])] == ["0.3"]


@pytest.mark.parametrize(
    ("words", "answer_text"),
    [("The score is 0.9 if", ""), ("Maybe 0.9.</think>\n\n0.3", "0.3"), ("</think>0.4", "0.4")],
)
def test_thoughts_that_the_prompt_opens_are_no_answer(load: Load, words: str, answer_text: str) -> None:
    def script(handler: Handler, request: dict[str, Any] | None) -> None:
        handler.reply(MODELS if request is None else text_answer(words))

    backend, _ = load(TEMPLATES[2], script, thinking="on")
    (answer,) = backend.answer_batch([QUERY])
    assert remove_thinking(answer.text) == answer_text


@pytest.mark.parametrize(
    ("finish_reason", "words", "answer_text"),
    [
        ("length", "The score is 0.9 if", ""),
        ("stop", "The score is 0.9.", "The score is 0.9."),
        ("length", "0.9?</think>0.3 There is", "0.3 There is"),
        ("length", "<think>0.9", ""),
        ("length", "", ""),
    ],
)
def test_words_that_may_be_thoughts_are_no_answer_where_the_prompt_is_unknown(
    load: Load, finish_reason: str, words: str, answer_text: str
) -> None:
    def script(handler: Handler, request: dict[str, Any] | None) -> None:
        choice = {"message": {"content": words}, "finish_reason": finish_reason}
        handler.reply(MODELS if request is None else {"choices": [choice]})

    for server in ("sglang", "ollama", "other", "llama.cpp"):
        backend, _ = load(script=script, server=server, thinking="on")
        assert [remove_thinking(answer.text) for answer in backend.answer_batch([QUERY])] == [answer_text]


@pytest.mark.parametrize(
    "message", [{"content": "<think>\nOkay"}, {"content": "", "reasoning_content": "Okay"}, {"content": "[THINK]I"}]
)
def test_a_model_that_thinks_on_its_own_is_one_clear_error(load: Load, message: dict[str, Any]) -> None:
    def script(handler: Handler, request: dict[str, Any] | None) -> None:
        if request is None or "logprobs" in request:
            answer_correctly(handler, request)
        else:
            handler.reply({"choices": [{"message": message}]})

    backend, _ = load(script=script, top_logprobs=3)
    with pytest.raises(BackendError, match=r"'tiny' on the server .* thinks before it answers.*--scoring words"):
        backend.answer_batch([SCORING])


def test_expected_scores_with_thinking_on_are_refused(load: Load) -> None:
    backend, server = load(thinking="on")
    with pytest.raises(UsageError, match=r"--backend\.thinking on.*--scoring words"):
        backend.answer_batch([SCORING])
    assert not server.posted


class VllmPrompts:
    """Stands for vLLM's chat template: a function from messages and whether the last one is continued to a prompt."""

    def __init__(self, server: ScriptedServer, write: Callable[[list[dict[str, Any]]], str]) -> None:
        self._write = write
        self._texts: list[str] = []
        server.replies["/tokenize"] = self._tokenise
        server.replies["/detokenize"] = lambda content: (200, {"prompt": self._texts[content["tokens"][-1]]})

    def _tokenise(self, content: dict[str, Any]) -> tuple[int, Any]:
        try:
            text = self._write(content["messages"])
        except ValueError as error:
            return 400, {"error": {"message": str(error)}}
        self._texts.append(text)
        return 200, {"tokens": [len(self._texts) - 1]}


PROBABILITIES = {
    "": {"0": 0.5, "1": 0.3, ".": 0.01, "5": 0.05},
    "0": {".": 0.9, "0": 0.05},
    "1": {".": 0.8, "1": 0.1},
    "0.": {str(digit): 0.05 + 0.01 * digit for digit in range(10)},
    "1.": {"0": 0.9, "1": 0.02},
}
"""Of the next character, by what the answer starts with."""


def generate(content: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of a model with these probabilities, a token per character, as vLLM's server writes it."""
    text, steps = "", []
    while len(text) < content["max_tokens"]:
        probabilities = PROBABILITIES.get(text, {})

        def likeliness(token: int, probabilities: dict[str, float] = probabilities) -> float:
            return math.log(probabilities.get(chr(token), 1e-9))

        token = max(content["allowed_token_ids"], key=likeliness)
        tops = [{"token": f"token_id:{t}", "logprob": likeliness(t)} for t in content["logprob_token_ids"]]
        steps.append({"token": f"token_id:{token}", "logprob": likeliness(token), "top_logprobs": tops})
        text += chr(token)
    return {"choices": [{"message": {"content": text}, "logprobs": {"content": steps}}]}


def test_where_no_turn_continues_the_prompt_the_server_generates_the_start_of_an_answer() -> None:
    def write(messages: list[dict[str, Any]]) -> str:
        return "?ASSISTANT:" + (strip_turn(messages[-1]["content"]) if len(messages) > 1 else CLOSED)

    def script(handler: Handler, content: dict[str, Any] | None) -> None:
        handler.reply(MODELS if content is None else generate(content))

    with serve(script) as server:
        VllmPrompts(server, write)
        tokenise = server.replies["/tokenize"]
        server.replies["/tokenize"] = lambda content: (
            (200, {"tokens": [ord(character) for character in content["prompt"]]})
            if "prompt" in content
            else tokenise(content)
        )
        with OpenAiBackend(OpenAiOptions(base_url=server.url, server="vllm", retries=0)) as backend:
            (answer,) = backend.answer_batch([SCORING])
        assert all(content["messages"][-1]["role"] == "user" for content in server.posted)
    assert {choice: math.exp(value) for choice, value in (answer.logprobs or {}).items()} == pytest.approx(
        {
            choice: PROBABILITIES[""][choice[0]] * PROBABILITIES[choice[0]]["."] * PROBABILITIES[choice[:2]][choice[2]]
            for choice in SCORES
        }
    )


def strip_turn(turn: str) -> str:
    """Return a turn of the assistant as templates that remove earlier thoughts write it."""
    if turn.startswith("<think>"):
        raise ValueError("the final message does not appear in the chat")
    return turn


@pytest.mark.parametrize(
    ("turn", "start"),
    [
        (lambda turn: turn, CLOSED),  # a template that writes the turn as it is
        (lambda turn: CLOSED + strip_turn(turn), ""),  # one that writes closed thoughts into each turn
        (strip_turn, None),  # one that removes them
    ],
    ids=["as it is", "closed thoughts", "removed"],
)
def test_open_thoughts_are_closed_through_the_template_of_vllm(turn: Callable[[str], str], start: str | None) -> None:
    def write(messages: list[dict[str, Any]]) -> str:
        last = messages[-1]
        return "?ASSISTANT:" + (turn(last["content"]) if last["role"] == "assistant" else "<think>\n")

    with serve(answer_correctly) as server:
        VllmPrompts(server, write)
        backend = OpenAiBackend(OpenAiOptions(base_url=server.url, server="vllm", retries=0))
        if start is None:
            with pytest.raises(BackendError, match=r"starts every answer with thoughts.*--scoring words"):
                backend.load()
            return
        with backend:
            backend.answer_batch([QUERY])
        (content,) = server.posted
        assert content["messages"][-1] == {"role": "assistant", "content": start}
        assert content["continue_final_message"] is True
