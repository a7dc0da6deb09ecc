"""Thinking before an answer: switched off or on by the chat template's own variable, or closed in the prompt.

A thinking model starts its answer with thoughts, so the first tokens say nothing about the score. A backend asks
`ChatThinking` for the prompt and `ThinkingGuard` whether the model thinks all the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

from pydantic import Field

from anyanomaly.api import Options
from anyanomaly.core.expected import LOW_MASS
from anyanomaly.core.thinking import MARKERS, open_marker
from anyanomaly.errors import BackendError, CapabilityError, UsageError
from anyanomaly.types import Answer, Query, Sampling

Thinking: TypeAlias = Literal["off", "on"]
Switches: TypeAlias = Mapping[str, Any]
"""Variables of a chat template, by name."""

SWITCHES: Final[tuple[tuple[str, Any, Any], ...]] = (
    ("enable_thinking", False, True),  # Qwen3, GLM-4.5V, MiniCPM-V 4.5, Gemma 4
    ("thinking", False, True),  # DeepSeek, Granite, Kimi
    ("thinking_mode", "disabled", "enabled"),  # MiniMax
    ("thinking_budget", 0, -1),  # Seed
    ("reasoning_effort", "none", "high"),  # Mistral
)
"""Variables by which chat templates switch thinking, with their values for off and on."""

_UNKNOWN_MARKER: Final = re.compile(
    r"[<\[](?![^<>\[\]]*(?:/|end|stop|close|off|no|empty|skip))[^<>\[\]]*(?:think|thought|reason)[^<>\[\]]*[>\]]\s*$",
    re.IGNORECASE,
)
"""A marker at the end of a prompt whose name is about thoughts, and not about their end."""
_TURN_TOKENS: Final = frozenset({"<|im_start|>", "<|im_end|>", "<|end|>", "<|eom|>"})  # in markers, and in any answer
_CHECK_TOKENS: Final = 16  # enough for the longest opening marker
_MAX_CHECKS: Final = 4  # queries per loaded model that the guard asks in words


class ThinkingOptions(Options):
    """Whether a model that can think before it answers does so."""

    thinking: Thinking = Field(
        "off", description="whether a model that can think before it answers does so; on needs a scoring in words"
    )


class ChatThinking:
    """Writes prompts in one chat template with its thinking off or on.

    :param model: starts messages: "Model 'owner/name'".
    """

    def __init__(self, thinking: Thinking, model: str = "This model") -> None:
        self.mode = thinking
        self._model = model
        self._switches: Switches | None = None

    def complete_prompt(self, render: Callable[[Switches], str], question: str) -> str:
        """Return a prompt up to where the answer starts.

        :param render: returns the prompt with these variables of the template; whatever it raises passes.
        :param question: the user's text in the prompt, in which a marker means nothing.
        :raises UsageError: as `close`.
        """
        return self.close(render(self.switches(render, question)), question)

    def close(self, prompt: str, question: str) -> str:
        """Return a prompt whose thoughts, if it opens any, are closed; with thinking on, the prompt as it is.

        :raises UsageError: when it opens thoughts with an unknown marker, so that their end is unknown too.
        """
        prompt_end = _after(prompt, question)
        marker = _UNKNOWN_MARKER.search(prompt_end)
        if marker and not open_marker(prompt_end):
            raise UsageError(
                f"{self._model} opens thoughts with {marker[0].strip()!r} before every answer: its chat template has "
                "no switch for them, and anyanomaly does not know the marker that closes them. Use another model."
            )
        return prompt + closing_text(prompt_end) if self.mode == "off" else prompt

    def switches(self, render: Callable[[Switches], str], question: str) -> Switches:
        """Return the variables of the template that switch its thinking off or on; empty when it has none.

        A variable is a switch when its two values give two prompts. One that leaves thoughts open when off is the
        last choice.
        """
        if self._switches is None:
            render({})  # a template that takes no such conversation fails here
            candidates = [switch for switch in SWITCHES if _has_effect(render, switch)]
            closed = [
                (name, off, on)
                for name, off, on in candidates
                if not open_marker(_after(render({name: off}), question))
            ]
            name, off, on = next(iter([*closed, *candidates]), ("", None, None))
            self._switches = {name: off if self.mode == "off" else on} if name else {}
        return self._switches

    def fingerprint(self, render: Callable[[Switches], str], question: str) -> str:
        """Return the part of a fingerprint: "" where thinking is off and changes no prompt.

        :raises UsageError: as `close`.
        """
        if self.mode == "off" and self.complete_prompt(render, question) == render({}):
            return ""
        return self.mode

    def complete_answer(self, prompt: str, question: str, text: str) -> str:
        """Return an answer in words with the opening marker that stands in its prompt instead.

        Without it, thoughts that are cut off would look like an answer.
        """
        return f"{_opening_text(_after(prompt, question))}{text}"


def closing_text(prompt_end: str) -> str:
    """Return what closes the thoughts that a prompt opens at its end, with the line breaks of published templates.

    ``<think>`` on a line of its own gets an empty line, as Qwen and DeepSeek write it; directly after other text
    the marker is closed at once, as GLM, Kimi and Mistral do.

    :param prompt_end: the prompt from behind the question on.
    :returns: "" when no thoughts are open.
    """
    closing = open_marker(prompt_end)
    if not closing.startswith("</"):
        return closing
    last_line = prompt_end.rpartition("\n")[2]
    if not last_line.rstrip().endswith(">"):  # a line break, or first words of the thoughts
        return f"\n{closing}\n\n"
    return f"{closing}\n" if last_line.count("<") == 1 else closing


def _opening_text(prompt_end: str) -> str:
    """Return the marker of the thoughts that a prompt opens at its end; "" when none are open."""
    closing = open_marker(prompt_end)
    openings = (opening for opening, usual_closing in MARKERS if closing.startswith(usual_closing))
    return next(openings, MARKERS[0][0]) if closing else ""


def thinks_in_special_tokens(tokens: Iterable[str]) -> bool:
    """Return whether an answer with these special tokens holds thoughts between some of them.

    Its text then needs all special tokens, so that the thoughts can be removed.
    """
    names = {token for token in tokens if len(token) > 1} - _TURN_TOKENS
    return any(marker.startswith(name) for name in names for pair in MARKERS for marker in pair)


def check_scoring(thinking: Thinking, scoring: str) -> None:
    """Refuse to read a score from log-probabilities while the model thinks.

    :param scoring: name of the scoring, for the message.
    :raises CapabilityError: with thinking on.
    """
    if thinking == "on":
        raise CapabilityError(
            f"--scoring {scoring} reads the first tokens of an answer, and with --backend.thinking on these are "
            "thoughts. Use --scoring words with a --max-tokens that holds the thoughts, or --backend.thinking off."
        )


class ThinkingGuard:
    """Finds a model that starts to think although its prompt does not ask for it.

    When the allowed answers have little probability, it asks the same question in words. It asks a few times only:
    a model that starts otherwise has another reason.
    """

    def __init__(self, model: str, alternative: str = "a model that answers at once") -> None:
        """:param model: name for the message. :param alternative: ends the message: what else the user can use."""
        self._model = model
        self._alternative = alternative
        self._n_checks = 0

    def check(
        self, queries: Sequence[Query], answers: Sequence[Answer], answer_in_words: Callable[[Query], Answer]
    ) -> None:
        """Check the answers to queries with allowed answers.

        :param answers: in the order of ``queries``.
        :param answer_in_words: asks the model; thoughts stay in the text.
        :raises BackendError: when the model thinks before it answers.
        """
        for query, answer in zip(queries, answers, strict=True):
            if self._n_checks >= _MAX_CHECKS:
                return
            if answer.logprobs is not None and _mass(answer.logprobs) < LOW_MASS:
                self._n_checks += 1
                words = answer_in_words(replace(query, sampling=Sampling(max_tokens=_CHECK_TOKENS)))
                if starts_with_thinking(words.text):
                    raise self._error()

    def _error(self) -> BackendError:
        """Return the error for a model that thinks before it answers."""
        return BackendError(
            f"{self._model} thinks before it answers although --backend.thinking is off, so the first tokens of its "
            f"answers are no scores. Use --scoring words with --backend.thinking on and a larger --max-tokens, or "
            f"{self._alternative}."
        )


def starts_with_thinking(text: str) -> bool:
    """Return whether an answer in words starts with a marker that opens thoughts."""
    start = text.lstrip().casefold()
    return any(start.startswith(opening.rstrip(">").casefold()) for opening, _ in MARKERS)


def _mass(logprobs: Mapping[str, float]) -> float:
    """Return the probability of all allowed answers, whatever they say."""
    return math.fsum(math.exp(value) for value in logprobs.values())


def _has_effect(render: Callable[[Switches], str], switch: tuple[str, Any, Any]) -> bool:
    name, off, on = switch
    try:
        return render({name: off}) != render({name: on})
    except Exception:  # of any template engine: a value that the template refuses switches nothing
        return False


def _after(prompt: str, question: str) -> str:
    """Return the part of a prompt behind the question; all of it when the template changed the question."""
    return prompt.rpartition(question.strip())[2] if question.strip() else prompt
