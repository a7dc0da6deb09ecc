"""Values as a page shows them: texts from outside, times, scores, addresses with data, and JSON inside a script."""

from __future__ import annotations

import base64
import math
from typing import Any

from anyanomaly.outside_text import json_text, terminal_text
from anyanomaly.time_text import time_text

_HTML_IN_JSON = str.maketrans({"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"})


def page_text(text: str) -> str:
    r"""Return a text from outside as a page shows it, not yet escaped for HTML.

    Characters that reorder the text around them, control characters and surrogates become visible escapes
    (``\u202e``), so that a name reads as what it is; passwords in addresses are masked.
    """
    return terminal_text(text)


def clock_time(time_s: float) -> str:
    """Return seconds as h:mm:ss.s; NaN and infinity as a dash."""
    return time_text(time_s, 1, has_hours=True)


def data_uri(kind: str, data: bytes) -> str:
    """Return an address that holds its data.

    :param kind: type of the data, such as ``image/jpeg``.
    """
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def score_text(score: float | None) -> str:
    """Return a score with two decimals; a dash when it is missing."""
    return "–" if score is None or math.isnan(score) else f"{score:.2f}"


def script_json(value: Any) -> str:
    """Return a value as JSON for a script element of type ``application/json``: no text in it can end the element.

    :raises ValueError: for NaN and infinity. :raises TypeError: for a value that JSON does not have.
    """
    return json_text(value).translate(_HTML_IN_JSON)
