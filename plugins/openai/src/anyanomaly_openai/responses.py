"""What is read from the responses of a server. Each field is checked, so nothing odd goes further."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from anyanomaly.kit import first_line

MAX_TOTAL_PROBABILITY = 1.02
"""Of the likeliest tokens at one position: low precision leaves them a little above 1."""
MAX_LOGPROB = math.log(MAX_TOTAL_PROBABILITY)

Text = Annotated[str, Field(max_length=1_000_000)]
Name = Annotated[str, Field(min_length=1, max_length=1_000)]
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
TokenCount = Annotated[int, Field(ge=0, lt=2**31)]
Logprob = Annotated[float, Field(le=MAX_LOGPROB)]  # natural log


class Response(BaseModel):
    """Base of all responses: other fields are ignored; types are not converted; numbers are finite."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=())

    subject: ClassVar[str] = "content"  # of the response, for messages


class ListedModel(Response):
    """A model in the list of models."""

    id: Name
    owned_by: Text | None = None


class ModelList(Response):
    """The list of models."""

    subject = "models"

    data: list[ListedModel]


class Prompt(Response):
    """A prompt as the server writes it."""

    subject = "prompt"

    prompt: Text


class TokenList(Response):
    """Token ids of a text."""

    subject = "tokens"

    tokens: list[TokenId]


class TokenLogprob(Response):
    """A token and its natural-log probability."""

    token: Text
    logprob: Logprob


class Position(TokenLogprob):
    """A generated token, and the likeliest tokens at its position."""

    top_logprobs: list[TokenLogprob] = []

    @model_validator(mode="after")
    def _check_total(self) -> Self:
        total = math.fsum(math.exp(logprob) for logprob in self.top().values())
        if total > MAX_TOTAL_PROBABILITY:
            raise ValueError(f"the probabilities of its tokens add up to {total:.3g}, more than 1")
        return self

    def top(self) -> dict[str, float]:
        """Return the natural-log probability by token; two tokens with the same text count as one."""
        logprobs: dict[str, float] = {}
        for token, logprob in dict.fromkeys((entry.token, entry.logprob) for entry in self.top_logprobs):
            earlier_logprob = logprobs.get(token)
            logprobs[token] = (
                logprob if earlier_logprob is None else math.log(math.exp(earlier_logprob) + math.exp(logprob))
            )
        return logprobs


class Logprobs(Response):
    """The log-probabilities of an answer, position by position."""

    content: list[Position] | None = None


class Message(Response):
    """The words of an answer, and the thoughts before it."""

    content: Text | None = None
    reasoning_content: Text | None = None
    reasoning: Text | None = None

    @property
    def thoughts(self) -> str:
        """What the model thought; "" when the server shows none."""
        return self.reasoning_content or self.reasoning or ""


class Choice(Response):
    """One answer."""

    message: Message
    finish_reason: Text | None = None
    logprobs: Logprobs | None = None


class Usage(Response):
    """Numbers of tokens; None: not counted."""

    prompt_tokens: TokenCount | None = None
    completion_tokens: TokenCount | None = None


class Completion(Response):
    """The response to a question: one answer."""

    subject = "answer"

    choices: Annotated[list[Choice], Field(min_length=1, max_length=1)]
    usage: Usage | None = None


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body.

    :raises ValueError: when there is none; the text is the reason.
    """
    try:
        content = json.loads(body.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_refuse)
    except UnicodeDecodeError:
        reason = "it is not encoded in UTF-8"
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as error:
        reason = f"it is not valid JSON ({first_line(error)})"
    else:
        if isinstance(content, dict):
            return content
        reason = f"it is {_kind(content)}, not an object"
    raise ValueError(reason)


def find_fault(error: ValidationError) -> str:
    """Return a clause on the first field that is not what it should be. Its value, which may be long, is not shown."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]).lstrip(".")
    if first["type"] == "missing":
        return f"the field {place} is missing"
    reason = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"the field {place} is {_kind(first['input'])}: {reason[:1].lower()}{reason[1:]}"


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return f"a list of {len(value)}"
    return "an object"


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a field appears twice")
    return content


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")
