"""Queries as conversations in vLLM's form."""

from __future__ import annotations

from typing import Any

from anyanomaly.kit import chat_messages
from anyanomaly.types import Query


def messages(query: Query, *, system_turn: bool = True) -> list[dict[str, Any]]:
    """Return the conversation; without a system turn, the system text goes before the question."""
    from PIL import Image

    images = [{"type": "image_pil", "image_pil": Image.fromarray(image)} for image in query.images]
    return chat_messages(query, images, system_turn=system_turn)
