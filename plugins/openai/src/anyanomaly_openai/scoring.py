"""The log-probability of each allowed answer, from what a kind of server offers.

vLLM tells the probabilities of given token ids after a given beginning of the answer, over the same token strings as
any other engine, exact but for what is negligible. The others tell the likeliest tokens: llama.cpp can be held to a
grammar, SGLang and Ollama continue an answer that has begun; of the rest only the answer they give by themselves can be
followed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from anyanomaly.core.trie import Tokens, choice_tokens, path_logprobs, steps
from anyanomaly.errors import BackendError
from anyanomaly_openai.options import Kind
from anyanomaly_openai.server import Server
from anyanomaly_openai.top_tokens import NEGLIGIBLE, Step, follow

REQUESTS = 2
"""Most requests per query where the likeliest tokens are followed: the scores start with 0 or with 1."""

Messages = list[dict[str, Any]]


class Scorer:
    """Asks one model of one server; used by many threads at once."""

    def __init__(self, server: Server, model: str, kind: Kind, top_logprobs: int) -> None:
        self._server = server
        self._model = model
        self._kind = kind
        self._top = top_logprobs
        self._tokens = lru_cache(maxsize=64)(self._tokens_of)

    def logprobs(self, messages: Messages, choices: tuple[str, ...]) -> dict[str, float]:
        """Return the natural-log probability of each choice as the answer to ``messages``.

        :raises BackendError: when the server gives no log-probabilities, or cannot go on.
        """
        if self._kind == "vllm":
            return self._exact(messages, choices)
        return follow(choices, lambda place: self._likeliest(messages, place, choices), REQUESTS)

    def _exact(self, messages: Messages, choices: tuple[str, ...]) -> dict[str, float]:
        answers, texts = self._tokens(choices)
        wanted = steps(answers)
        ids = sorted({token for tokens in wanted.values() for token in tokens})
        longest = max(map(len, answers))
        found: dict[Tokens, dict[int, float]] = {}
        for place, tokens in wanted.items():
            if place in found:
                continue
            if _negligible(place, answers, found):
                found[place] = dict.fromkeys(tokens, -math.inf)
                continue
            # Of these tokens it mostly makes an allowed answer, and leads through places that then need no request.
            told = self._ask(
                begun(messages, texts[place]),
                max_tokens=longest - len(place),
                logprob_token_ids=ids,
                allowed_token_ids=ids,
                return_tokens_as_token_ids=True,
            )
            at = place
            for step in told:
                found[at] = {_token_id(token): logprob for token, logprob in step.top.items()}
                at = (*at, _token_id(step.token))
                if at not in wanted:
                    break
        try:
            return dict(zip(choices, path_logprobs(answers, found), strict=True))
        except (KeyError, ValueError) as error:
            raise BackendError(f"The server at {self._server.url} leaves tokens out that it was asked for.") from error

    def _tokens_of(self, choices: tuple[str, ...]) -> tuple[tuple[Tokens, ...], dict[Tokens, str]]:
        """Return each choice's token ids, as the server writes them after its chat template, and each place's text."""

        @cache
        def encode(words: str) -> tuple[int, ...]:
            asked: Messages = [{"role": "user", "content": "?"}]
            more = continued("vllm") if words else {}
            content = {"model": self._model, "messages": begun(asked, words), **more}
            tokens = self._server.post("/tokenize", content).get("tokens")
            if not isinstance(tokens, list):
                raise BackendError(
                    f"The server at {self._server.url} does not tell its tokens; try --backend.server other."
                )
            return tuple(tokens)

        answers = choice_tokens(encode, "", choices)
        texts: dict[Tokens, str] = {(): ""}
        start = len(encode(""))
        for choice, answer in zip(choices, answers, strict=True):
            for length in range(1, len(choice)):
                texts.setdefault(encode(choice[:length])[start:], choice[:length])
            if lost := next((n for n in range(1, len(answer)) if answer[:n] not in texts), 0):
                raise BackendError(
                    f"The model's tokens cut the allowed answer {choice!r} where no text begins (after {lost} tokens); "
                    f"use --backend.server other, which follows the likeliest tokens instead."
                )
        return answers, texts

    def _likeliest(self, messages: Messages, place: str, choices: Sequence[str]) -> tuple[str, list[Step]]:
        open_choices = [choice for choice in choices if choice.startswith(place)]
        if self._kind == "llama.cpp":
            grammar = "root ::= " + " | ".join(json.dumps(choice) for choice in open_choices)
            return "", self._ask(messages, max_tokens=max(map(len, choices)), top_logprobs=self._top, grammar=grammar)
        if place and self._kind == "other":
            return place, []
        longest = max(map(len, open_choices)) - len(place)
        return place, self._ask(begun(messages, place), max_tokens=longest, top_logprobs=self._top)

    def _ask(self, messages: Messages, **more: Any) -> list[Step]:
        last = messages[-1]["role"] == "assistant"
        content = {"model": self._model, "messages": messages, "temperature": 0, "logprobs": True, **more}
        choice = first_choice(
            self._server.url, self._server.post("chat/completions", content | (continued(self._kind) if last else {}))
        )
        told = (choice.get("logprobs") or {}).get("content")
        if not told:
            raise BackendError(
                f"The server at {self._server.url} gives no log-probabilities with model {self._model!r}, which "
                f"--scoring expected and yes-no need. Use --scoring words, or a server that has them."
            )
        try:
            return [
                Step(each["token"], {t["token"]: float(t["logprob"]) for t in each["top_logprobs"]}) for each in told
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise BackendError(
                f"The server at {self._server.url} gives log-probabilities that cannot be read."
            ) from error


def _negligible(place: Tokens, answers: Sequence[Tokens], found: dict[Tokens, dict[int, float]]) -> bool:
    def reached(tokens: Tokens) -> float:
        return math.exp(sum(found[tokens[:length]][token] for length, token in enumerate(tokens)))

    return reached(place) < NEGLIGIBLE * sum(reached(answer) for answer in answers if answer[:-1] in found)


def begun(messages: Messages, answer: str) -> Messages:
    """Return the conversation with an answer that has begun, if it has."""
    return [*messages, {"role": "assistant", "content": answer}] if answer else messages


def continued(kind: Kind) -> dict[str, Any]:
    """Return what a request needs besides for its last message to be continued, not answered."""
    return {"add_generation_prompt": False, "continue_final_message": True} if kind in ("vllm", "sglang") else {}


def first_choice(url: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return the answer in a response.

    :raises BackendError: when there is none.
    """
    choices = content.get("choices")
    if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
        raise BackendError(f"The server at {url} answered without an answer in it; it does not speak OpenAI's API.")
    return choices[0]


def _token_id(token: str) -> int:
    return int(token.removeprefix("token_id:"))
