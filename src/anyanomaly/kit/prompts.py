"""From queries to conversations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from anyanomaly.errors import UsageError
from anyanomaly.types import Query


def full_prompt(query: Query) -> str:
    """Return the question with the system text before it, for models without a system turn."""
    return f"{query.system}\n{query.prompt}" if query.system else query.prompt


def chat_messages(query: Query, images: Sequence[dict[str, Any]], *, system_turn: bool = True) -> list[dict[str, Any]]:
    """Return a conversation in the form of chat templates: messages whose content is a list of parts.

    :param images: the part for each image of the query, for example ``{"type": "image"}``.
    :param system_turn: False: the system text goes before the question, for templates without a system turn.
    """
    separate = system_turn and bool(query.system)
    text = [text_part(query.prompt if separate else full_prompt(query))]
    parts = [*text, *images] if query.text_first else [*images, *text]
    user = {"role": "user", "content": parts}
    return [{"role": "system", "content": [text_part(query.system)]}, user] if separate else [user]


def text_part(text: str) -> dict[str, str]:
    """Return the part of a message that is ``text``."""
    return {"type": "text", "text": text}


def check_special_tokens(query: Query, special_tokens: Iterable[str]) -> None:
    """Check that the question holds no special token, which would end the turn early or stand for an image.

    :raises UsageError: when it holds one.
    """
    text = f"{query.system}\n{query.prompt}"
    if token := next((token for token in special_tokens if token in text), None):
        raise UsageError(
            f"The question holds {token!r}, which is a special token of this model. Remove it from the event text."
        )
