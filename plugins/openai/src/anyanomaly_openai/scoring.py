"""The log-probability of each allowed answer, from what each kind of server offers.

vLLM gives the log-probabilities of the requested token ids after a given prefix of the answer: the results are exact,
except for negligible parts. All other servers give the likeliest tokens only: llama.cpp restricts the answer to a
grammar, SGLang and Ollama continue an answer that the request begins, and of any other server only the answer that it
generates can be read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from anyanomaly.core.trie import Tokens, choice_tokens, path_logprobs, steps
from anyanomaly.errors import BackendError
from anyanomaly_openai.options import Kind
from anyanomaly_openai.responses import Choice, Completion, Position, TokenList
from anyanomaly_openai.server import Server
from anyanomaly_openai.thinking import AnswerStart, Messages, request_fields
from anyanomaly_openai.top_tokens import NEGLIGIBLE, Step, choice_logprobs

MAX_REQUESTS = 2
"""Requests per query to a server that gives the likeliest tokens: scores start with 0 or with 1."""

_TOKEN_ID = re.compile(r"token_id:(\d{1,10})", re.ASCII)


class Scorer:
    """Requests log-probabilities of one model on one server; safe for many threads at once."""

    def __init__(self, server: Server, model: str, kind: Kind, start: AnswerStart, top_logprobs: int) -> None:
        self._server = server
        self._model = model
        self._kind = kind
        self._start = start
        self._top_logprobs = top_logprobs
        self._encode_choices = lru_cache(maxsize=64)(self._request_tokens)

    def logprobs(self, messages: Messages, choices: tuple[str, ...]) -> dict[str, float]:
        """Return the natural-log probability of each choice as the answer to ``messages``.

        :raises BackendError: when the server gives no log-probabilities, or fails.
        """
        if self._kind == "vllm":
            return self._exact_logprobs(messages, choices)
        return choice_logprobs(choices, lambda prefix: self._top_steps(messages, prefix, choices), MAX_REQUESTS)

    def _exact_logprobs(self, messages: Messages, choices: tuple[str, ...]) -> dict[str, float]:
        answers, texts = self._encode_choices(choices)
        tokens_after = steps(answers)
        ids = sorted({token for tokens in tokens_after.values() for token in tokens})
        longest = max(map(len, answers))
        logprobs: dict[Tokens, dict[int, float]] = {}
        for prefix, tokens in tokens_after.items():
            if prefix in logprobs:
                continue
            if _is_negligible(prefix, answers, logprobs):
                logprobs[prefix] = dict.fromkeys(tokens, -math.inf)
                continue
            if self._start.continues:
                # With only these tokens, the server usually generates an allowed answer; its prefixes need no request.
                path, allowed, n_tokens = prefix, ids, longest - len(prefix)
            else:  # with the tokens of the prefix alone, the server generates it itself, if it is likely
                path, allowed, n_tokens = (), sorted({*prefix}) or ids, len(prefix) + 1 if prefix else longest
            generated = self._request_steps(
                self._start.begin(messages, texts[path]),
                max_tokens=n_tokens,
                logprob_token_ids=ids,
                allowed_token_ids=allowed,
                return_tokens_as_token_ids=True,
            )
            for step in generated:
                logprobs[path] = self._by_id(step, tokens_after[path])
                path = (*path, self._token_id(step.token))
                if path not in tokens_after:
                    break
            logprobs.setdefault(prefix, dict.fromkeys(tokens, -math.inf))  # the server generated something else
        return dict(zip(choices, path_logprobs(answers, logprobs), strict=True))

    def _by_id(self, step: Step, requested: Sequence[int]) -> dict[int, float]:
        """Return the log-probability of each requested token."""
        logprobs = {self._token_id(token): logprob for token, logprob in step.top.items()}
        if not logprobs.keys() >= {*requested}:
            raise BackendError(
                f"The server at {self._server.url} gives no log-probability for some of the requested tokens. "
                f"Use --backend.server other."
            )
        return logprobs

    def _token_id(self, token: str) -> int:
        if match := _TOKEN_ID.fullmatch(token):
            return int(match[1])
        raise self._server.odd("log-probabilities", "tokens are named by their text, where ids were requested")

    def _request_tokens(self, choices: tuple[str, ...]) -> tuple[tuple[Tokens, ...], dict[Tokens, str]]:
        """Return each choice's token ids after the server's chat template, and the text of each of their prefixes."""

        @cache
        def encode(answer: str) -> tuple[int, ...]:
            if self._start.continues:
                messages = self._start.begin([{"role": "user", "content": "?"}], answer)
                content = {"messages": messages, **request_fields(self._kind, self._start, messages)}
            elif answer:
                content = {"prompt": answer, "add_special_tokens": False}
            else:
                return ()
            return tuple(self._server.post("/tokenize", {"model": self._model, **content}, TokenList).tokens)

        try:
            answers = choice_tokens(encode, "", choices)
        except ValueError:  # an answer adds no token
            answers = ()
        if not answers:
            raise self._no_continuation()
        if any(len(tokens) > len(choice.encode()) for choice, tokens in zip(choices, answers, strict=True)):
            raise self._no_continuation()  # these are tokens of the question
        texts: dict[Tokens, str] = {(): ""}
        start = len(encode(""))
        for choice, answer in zip(choices, answers, strict=True):
            for length in range(1, len(choice)):
                texts.setdefault(encode(choice[:length])[start:], choice[:length])
            if split := next((n for n in range(1, len(answer)) if answer[:n] not in texts), 0):
                raise BackendError(
                    f"The first {split} tokens of the allowed answer {choice!r} are no prefix of its text. "
                    f"Use --backend.server other, which reads the likeliest tokens instead."
                )
        return answers, texts

    def _no_continuation(self) -> BackendError:
        return BackendError(
            f"The chat template of model {self._model!r} on the server at {self._server.url} does not continue an "
            f"answer as it begins one, so expected scores cannot be requested. Use --backend.server other, "
            f"--scoring words, or the backend vllm."
        )

    def _top_steps(self, messages: Messages, prefix: str, choices: Sequence[str]) -> tuple[str, list[Step]]:
        open_choices = [choice for choice in choices if choice.startswith(prefix)]
        top = self._top_logprobs
        if self._kind == "llama.cpp":
            grammar = "root ::= " + " | ".join(json.dumps(choice) for choice in open_choices)
            max_tokens = max(map(len, choices))
            messages = self._start.begin(messages)
            return "", self._request_steps(messages, max_tokens=max_tokens, top_logprobs=top, grammar=grammar)
        if prefix and self._kind == "other":
            return prefix, []
        max_tokens = max(map(len, open_choices)) - len(prefix)
        return prefix, self._request_steps(self._start.begin(messages, prefix), max_tokens=max_tokens, top_logprobs=top)

    def _request_steps(self, messages: Messages, **settings: Any) -> list[Step]:
        """Return the tokens that the server generates after ``messages``, with the log-probabilities of each."""
        settings |= request_fields(self._kind, self._start, messages)
        content = {"model": self._model, "messages": messages, "temperature": 0, "logprobs": True, **settings}
        (choice,) = self._server.post("chat/completions", content, Completion).choices
        positions = (choice.logprobs and choice.logprobs.content) or []
        if not any(position.top_logprobs for position in positions):
            raise BackendError(
                f"The server at {self._server.url} gives no log-probabilities with model {self._model!r}, which "
                f"--scoring expected and yes-no need. Use --scoring words, or a server that gives them."
            )
        if self._kind != "vllm" and not _spell(positions, choice):
            raise self._server.odd("log-probabilities", "their tokens do not spell the answer")
        return [Step(position.token, position.top()) for position in positions]


def _spell(positions: Sequence[Position], choice: Choice) -> bool:
    """Return whether tokens are those of the answer's text, which may lack thoughts, or hold the requested beginning.

    A token that is a part of a character has no text of its own.
    """
    tokens = "".join(position.token for position in positions).strip()
    text = (choice.message.content or "").strip()
    return not text or text in tokens or (bool(tokens) and tokens in text) or "\ufffd" in tokens


def _is_negligible(prefix: Tokens, answers: Sequence[Tokens], logprobs: dict[Tokens, dict[int, float]]) -> bool:
    """Return whether a prefix is unlikely beside the answers whose probabilities are known."""

    def probability(tokens: Tokens) -> float:
        return math.exp(sum(logprobs[tokens[:length]][token] for length, token in enumerate(tokens)))

    mass = sum(probability(answer) for answer in answers if answer[:-1] in logprobs)
    return probability(prefix) < NEGLIGIBLE * mass
