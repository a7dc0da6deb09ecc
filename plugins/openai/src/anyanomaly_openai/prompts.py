"""Queries to chat messages, images inside as data URIs."""

from __future__ import annotations

import base64
import io
from typing import Any, Literal

from anyanomaly.types import ImageArray, Query

JPEG_QUALITY = 90


def messages(query: Query, image_format: Literal["png", "jpeg"]) -> list[dict[str, Any]]:
    """Return the system turn, if there is one, and the question with its images in the order that it asks for."""
    images = [{"type": "image_url", "image_url": {"url": _uri(image, image_format)}} for image in query.images]
    words = [{"type": "text", "text": query.prompt}]
    turns = [{"role": "system", "content": query.system}] if query.system else []
    return [*turns, {"role": "user", "content": words + images if query.text_first else images + words}]


def _uri(image: ImageArray, image_format: Literal["png", "jpeg"]) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, image_format, quality=JPEG_QUALITY)
    return f"data:image/{image_format};base64,{base64.b64encode(file.getvalue()).decode()}"
