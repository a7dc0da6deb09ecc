"""Queries as conversations in vLLM's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyanomaly.kit import chat_messages
from anyanomaly.types import ImageArray, Query


def messages(
    query: Query, images: Sequence[ImageArray] | None = None, *, system_turn: bool = True
) -> list[dict[str, Any]]:
    """Return the conversation.

    :param images: those of the query in another size; None: as they are.
    :param system_turn: False: the system text goes before the question.
    """
    from PIL import Image

    images = query.images if images is None else images
    parts = [{"type": "image_pil", "image_pil": Image.fromarray(image)} for image in images]
    return chat_messages(query, parts, system_turn=system_turn)
