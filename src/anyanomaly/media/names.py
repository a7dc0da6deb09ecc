"""File names made of the ids of videos and of event texts, which every file system takes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

MAX_BYTES = 100
"""Longest stem in UTF-8. File systems allow 255 bytes; numbers, suffixes and ``.partial`` are added."""

FALLBACK = "video"
"""The stem of a name without any character that can be kept."""

_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?=\.|\Z)", re.IGNORECASE)
"""Names of devices on Windows, with any suffix."""

_FORBIDDEN = frozenset('<>:"/\\|?*')


def safe_stem(name: str, used_stems: Collection[str] = ()) -> str:
    """Return a file name without suffix that resembles ``name``.

    Letters, digits and marks of all scripts stay, in Unicode's composed form. What some file system, shell or screen
    takes in another sense becomes ``_`` or is dropped: separators, control characters and those that reorder text.

    :param name: the id of a video, or another text from outside.
    :param used_stems: stems that exist; the new one differs from each of them also where capitals do not count.
    :return: 1 to 100 bytes in UTF-8.
    """
    text = "".join(_safe_character(char) for char in unicodedata.normalize("NFC", name))
    text = re.sub(r"_{2,}", "_", re.sub(r"\s+", " ", text)).lstrip(" .-_~").rstrip(" ._")
    if _RESERVED.match(text):
        text = f"_{text}"
    used_keys = {_key(stem) for stem in used_stems}
    stem = _cut(text, MAX_BYTES) or FALLBACK
    number = 1
    while _key(stem) in used_keys:
        number += 1
        ending = f"-{number}"
        stem = (_cut(text, MAX_BYTES - len(ending)) or FALLBACK) + ending
    return stem


def _safe_character(char: str) -> str:
    if char in _FORBIDDEN:
        return "_"
    category = unicodedata.category(char)
    if category.startswith("Z"):
        return " "
    # control, format (bidi, zero width), private, surrogate and unassigned characters
    return " " if char in "\t\n\r" else "" if category.startswith("C") else char


def _cut(text: str, n_bytes: int) -> str:
    """Return the beginning of a text, at most ``n_bytes`` in UTF-8, without dots and blanks at its end."""
    return text.encode()[:n_bytes].decode(errors="ignore").rstrip(" ._")


def _key(stem: str) -> str:
    """Return the same key for names that are one file where capitals do not count (Windows, macOS)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stem).casefold())
