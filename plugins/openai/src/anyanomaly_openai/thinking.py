"""How a server is told not to think, and how an answer continues after thoughts that its prompt has opened.

vLLM and llama.cpp show the prompt that their chat template makes, so its switch is looked up and open thoughts are
closed. Of other servers nothing is known: SGLang and Ollama get their own fields, and the rest, some of which refuse
unknown fields, gets none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from anyanomaly.core.thinking import MARKERS, strip_thinking
from anyanomaly.errors import BackendError
from anyanomaly.kit import ChatThinking, Switches, Thinking
from anyanomaly_openai.options import Kind
from anyanomaly_openai.responses import Choice, Prompt, TokenList
from anyanomaly_openai.server import Server

Messages = list[dict[str, Any]]

CONTINUATION = {"add_generation_prompt": False, "continue_final_message": True}
"""What vLLM and SGLang need to continue the last message of a request instead of answering it."""

_QUESTION = "?"
_ANSWER = "0.5"  # an answer to try a continuation with
CUT_OFF = MARKERS[0][0]
"""Answer of a model that only thought: thoughts that are never closed, which no score is read from."""


class AnswerStart(NamedTuple):
    """What the requests to one server hold so that an answer starts without thoughts."""

    fields: Mapping[str, Any]  # of every request
    turn: str = ""  # what an assistant's turn needs before an answer that it begins
    needs_turn: bool = False  # also before the first token of an answer: to close thoughts
    opening: str | None = ""  # the marker that the prompt opens thoughts with; None: unknown, with thinking on
    fingerprint: str = ""
    continues: bool = True  # whether the server continues an answer that the request begins

    def begin(self, messages: Messages, answer: str = "") -> Messages:
        """Return the conversation followed by the beginning of an answer, if there is one."""
        if not answer and not self.needs_turn:
            return messages
        return [*messages, _assistant(f"{self.turn}{answer}")]


def find_answer_start(server: Server, model: str, kind: Kind, thinking: Thinking) -> AnswerStart:
    """Return how answers of this model start with thinking off or on.

    :raises UsageError: when its chat template opens thoughts with an unknown marker.
    :raises BackendError: when it opens thoughts that no request can close.
    """
    enable = thinking == "on"
    hidden = AnswerStart({}, opening=None if enable else "", fingerprint=thinking)
    if kind == "sglang":
        return hidden._replace(fields=_template_fields({"enable_thinking": enable, "thinking": enable}))
    if kind == "ollama":  # its models think unless told otherwise
        return hidden._replace(fields={} if enable else {"reasoning_effort": "none"})
    if kind == "other":
        return hidden if enable else AnswerStart({})
    prompts = _VllmPrompts(server, model) if kind == "vllm" else _LlamaCppPrompts(server, model)
    try:
        prompts.write({})
    except BackendError:  # an older release, or llama-cpp-python's server
        return hidden._replace(fields=_template_fields({"enable_thinking": enable}))
    chat = ChatThinking(thinking, f"Model {model!r} on the server at {server.url}")
    switches = chat.switches(prompts.write, _QUESTION)
    prompt = prompts.write(switches)
    closed_prompt = chat.close(prompt, _QUESTION)
    closing = closed_prompt.removeprefix(prompt)
    if closing and kind == "llama.cpp":  # whose server else refuses an answer that the request begins
        switches = {"enable_thinking": False, **switches}
    start = AnswerStart(
        _template_fields(switches),
        opening=chat.complete_answer(closed_prompt, _QUESTION, ""),
        fingerprint=chat.fingerprint(prompts.write, _QUESTION),
    )
    if enable:
        return start
    turn = prompts.find_turn(switches, closing)
    if turn is None and closing:
        raise BackendError(
            f"The chat template of model {model!r} on the server at {server.url} starts every answer with thoughts: it "
            f"has no switch for them, and the server cannot close them. Use --scoring words with --backend.thinking on "
            f"and a larger --max-tokens, or another model or backend."
        )
    return start._replace(turn=turn or "", needs_turn=bool(closing), continues=turn is not None)


def request_fields(kind: Kind, start: AnswerStart, messages: Messages) -> dict[str, Any]:
    """Return what a request needs for its thinking, and to continue its last message if that is an answer."""
    is_continued = messages[-1]["role"] == "assistant" and kind in ("vllm", "sglang")
    return {**start.fields, **(CONTINUATION if is_continued else {})}


def read_words(choice: Choice, start: AnswerStart) -> str:
    """Return the words of an answer; nothing is read from its reasoning.

    Where the answer is missing because the model only thought, or perhaps only thought, the text is `CUT_OFF`.
    """
    text = (choice.message.content or "").strip()
    is_cut_off = choice.finish_reason == "length"
    if choice.message.thoughts or (is_cut_off and not text):
        return text or CUT_OFF  # some services show neither their thoughts nor a field for them
    if start.opening is None:
        return CUT_OFF if is_cut_off and strip_thinking(text) == text else text
    return f"{start.opening}{text}"


def _template_fields(switches: Switches) -> dict[str, Any]:
    return {"chat_template_kwargs": dict(switches)} if switches else {}


def _assistant(turn: str) -> dict[str, str]:
    return {"role": "assistant", "content": turn}


class _LlamaCppPrompts:
    """The prompts of llama.cpp's server, which appends a turn of the assistant to them as it is."""

    def __init__(self, server: Server, model: str) -> None:
        self._server, self._model = server, model

    def write(self, switches: Switches) -> str:
        """Return the prompt of a question with these variables of the chat template.

        :raises BackendError: when the server does not show it.
        """
        messages = [{"role": "user", "content": _QUESTION}]
        content = {"model": self._model, "messages": messages, **_template_fields(switches)}
        return self._server.post("/apply-template", content, Prompt).prompt

    def find_turn(self, switches: Switches, closing: str) -> str | None:
        """Return what the assistant's turn starts with so that the thoughts are closed."""
        return closing


class _VllmPrompts:
    """The prompts of vLLM's server, which writes a turn of the assistant in the chat template."""

    def __init__(self, server: Server, model: str) -> None:
        self._server, self._model = server, model

    def write(self, switches: Switches) -> str:
        """Return the prompt of a question with these variables of the chat template.

        :raises BackendError: when the server does not show it.
        """
        return self._write([], switches)

    def find_turn(self, switches: Switches, closing: str) -> str | None:
        """Return what the assistant's turn starts with so that the prompt with its thoughts closed is continued.

        Some templates write closed thoughts into each turn of the assistant, others write the turn as it is.

        :returns: None when the template does not write such a turn.
        """
        prompt = f"{self.write(switches)}{closing}"
        start = self._tokens([], switches)
        try:
            if not closing and self._tokens([_assistant(_ANSWER)], switches)[: len(start)] == start:
                return ""
            header = self._write_turn(_ANSWER, switches).removesuffix(_ANSWER)
            turn = prompt.removeprefix(header)
            answers = ["", _ANSWER] if closing else [_ANSWER]
            prompts = [self._write_turn(f"{turn}{answer}", switches) for answer in answers]
        except BackendError:  # the template changes the turn
            return None
        return turn if prompts == [f"{prompt}{answer}" for answer in answers] else None

    def _write_turn(self, turn: str, switches: Switches) -> str:
        return self._write([_assistant(turn)], switches)

    def _write(self, turns: Messages, switches: Switches) -> str:
        tokens = self._tokens(turns, switches)
        return self._server.post("/detokenize", {"model": self._model, "tokens": tokens}, Prompt).prompt

    def _tokens(self, turns: Messages, switches: Switches) -> list[int]:
        messages = [{"role": "user", "content": _QUESTION}, *turns]
        content = {"model": self._model, "messages": messages, **_template_fields(switches)}
        if turns:
            content |= CONTINUATION
        return self._server.post("/tokenize", content, TokenList).tokens
