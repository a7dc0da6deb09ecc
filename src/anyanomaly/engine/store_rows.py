"""Rows of the answer store: an answer to JSON with a checksum, and back after validation."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anyanomaly.types import Answer, QueryId

ROW_FORMAT = 1
"""Version of the JSON of an answer and of its checksum. A row of another version is asked again and replaced."""

MAX_ROW_BYTES = 2**20
"""Size limit of a stored row. A larger answer is not stored, and a larger row is not read."""


class _Content(BaseModel):
    """An answer without its query."""

    model_config = ConfigDict(strict=True, extra="forbid")

    text: str
    value: Annotated[float, Field(ge=0, le=1)] | None
    logprobs: dict[str, Annotated[float, Field(lt=math.inf)]] | None  # of an impossible choice: -inf
    prompt_tokens: Annotated[int, Field(ge=0)] | None
    output_tokens: Annotated[int, Field(ge=0)] | None


def encode_answer(answer: Answer) -> bytes | None:
    """Return an answer as JSON; None when `decode_answer` would not return it unchanged."""
    fields = {
        "text": answer.text,
        "value": answer.value,
        "logprobs": dict(answer.logprobs) if answer.logprobs is not None else None,
        "prompt_tokens": answer.prompt_tokens,
        "output_tokens": answer.output_tokens,
    }
    try:
        content = json.dumps(fields).encode()
    except (TypeError, ValueError):
        return None
    decoded = decode_answer(content, answer.id)
    return content if decoded == answer and len(content) < MAX_ROW_BYTES // 2 else None


def decode_answer(content: bytes, query_id: QueryId) -> Answer | None:
    """Return the answer whose JSON is ``content``, as an answer to ``query_id``; None when it is no valid answer."""
    try:
        return Answer(query_id, **dict(_Content.model_validate_json(content)))
    except ValidationError:
        return None


def checksum(key: bytes, content: bytes) -> bytes:
    """Return the checksum (8 bytes) of an answer's JSON and the key of its query, by which an altered row is known."""
    return hashlib.sha256(key + content).digest()[:8]
