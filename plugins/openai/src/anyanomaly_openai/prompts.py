"""Queries as chat messages, with the images in them as data URIs."""

from __future__ import annotations

import base64
import io
from typing import Any, Literal

from anyanomaly.kit import text_part
from anyanomaly.types import ImageArray, Query

JPEG_QUALITY = 90


def messages(query: Query, image_format: Literal["png", "jpeg"]) -> list[dict[str, Any]]:
    """Return the conversation: the system turn, if there is a system text, and the question with its images.

    The system text is a plain string, not a list of parts, which some servers refuse.
    """
    images = [{"type": "image_url", "image_url": {"url": _data_uri(image, image_format)}} for image in query.images]
    text = [text_part(query.prompt)]
    turns = [{"role": "system", "content": query.system}] if query.system else []
    return [*turns, {"role": "user", "content": [*text, *images] if query.text_first else [*images, *text]}]


def _data_uri(image: ImageArray, image_format: Literal["png", "jpeg"]) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, image_format, quality=JPEG_QUALITY)
    return f"data:image/{image_format};base64,{base64.b64encode(file.getvalue()).decode()}"
